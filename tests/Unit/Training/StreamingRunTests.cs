using Fovea.Data.Streaming;
using Fovea.Tests.Distributed;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Unit.Training;

/// <summary>Runs over a stream of rows.</summary>
public sealed class StreamingRunTests : NativeTest
{
    private static readonly string[] Streamed = ["streaming=true", "max_samples=null", "buffer_size=5", "max_steps=8"];
    private readonly TinyRun run = new();

    [Theory]
    [InlineData("micro_batch_tokens=4096")]
    [InlineData("micro_batch_tokens=64")]
    public void A_stream_that_is_not_shuffled_trains_as_the_files_do_in_their_order(string packing)
    {
        string[] settings = ["max_samples=null", "disable_shuffling=true", "max_steps=8", packing];
        Train("plain", settings);
        Train("streamed", [.. settings, "streaming=true"]);
        Assert.Equal(run.Losses("plain"), run.Losses("streamed"));
        Assert.Equal(run.Adapter("plain"), run.Adapter("streamed"));
    }

    [Fact]
    public void A_run_that_is_taken_up_again_ends_bitwise_as_one_that_was_not()
    {
        // Seven rows, sixteen samples: the checkpoint lies within the second pass.
        string[] settings = [.. Streamed, .. run.Rows(7, _ => { })];
        Train("whole", settings);
        using (var seen = new SeenEvents(stopAfter: 5))
        {
            Assert.True(SupervisedFineTune.Run(Config("parts", settings), [seen], seen.Stop).Interrupted);
        }

        Assert.True(File.Exists(run.Out($"parts/checkpoint-5/{StreamStateFile.FileName}")));
        Train("parts", [.. settings, "resume_from_checkpoint=true"]);
        Assert.Equal(8, run.Losses("whole").Length);
        Assert.Equal(run.Losses("whole"), run.Losses("parts"));
        Assert.Equal(run.Adapter("whole"), run.Adapter("parts"));
    }

    [Fact]
    public void A_checkpoint_of_files_is_no_checkpoint_of_a_stream()
    {
        Train("files", "max_samples=null", "max_steps=2");
        var error = Assert.Throws<ConfigException>(() => Train("files", [.. Streamed, "resume_from_checkpoint=true"]));
        Assert.Contains("was made with streaming: false", error.Message);
        Assert.DoesNotContain("training samples", error.Message);
        Train("stream", [.. Streamed, .. run.Rows(7, _ => { }), "max_steps=2"]);
        error = Assert.Throws<ConfigException>(() => Train("stream", "max_samples=null", "max_steps=3", "resume_from_checkpoint=true"));
        Assert.Contains("was made with streaming: true", error.Message);
    }

    [Fact]
    public void Held_out_datasets_are_measured_beside_a_stream()
    {
        using var seen = new SeenEvents();
        SupervisedFineTune.Run(Config("measured", [.. Streamed, .. run.Rows(7, _ => { }), "eval_dataset=rows", "eval_strategy=steps", "eval_steps=4"]), [seen]);
        Assert.Equal([4, 8, 8], seen.All.OfType<Events.Evaluated>().Select(e => e.Step));
        Assert.All(seen.All.OfType<Events.Evaluated>(), e => Assert.Equal(7, e.Samples));
    }

    [Fact]
    [Trait("Category", "Long")]
    public void Two_ranks_train_what_one_does()
    {
        using var runs = new RankRuns { ProtocolMegabytes = 1 };
        string[] settings = [.. Streamed, .. runs.Tiny.Rows(7, _ => { })];
        var one = runs.Train("one", 1, 2, settings);
        var two = runs.Train("two", 2, 2, settings);
        RankRuns.Near(one, two, 1e-4);
    }

    protected override void Cleanup() => run.Dispose();

    private TrainConfig Config(string name, params string[] more) => TrainConfig.Load(run.Config, [$"output_dir={run.Out(name)}", .. more]);

    private void Train(string name, params string[] more) => SupervisedFineTune.Run(Config(name, more), []);
}
