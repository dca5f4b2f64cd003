using Fovea.Tests.Distributed;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Unit.Training;

/// <summary>A run that has ended and is started again, as Kubernetes does it: said in one sentence, nothing written, and no failure.</summary>
public sealed class EndedRunTests : NativeTest
{
    private const string Said = "this run has ended: all 2 steps are done and";
    private readonly TinyRun run = new();

    [Theory]
    [InlineData("steps")]
    [InlineData("steps", "resume_from_checkpoint=true")]
    [InlineData("steps", "resume_from_checkpoint=auto")]
    [InlineData("steps", "resume_from_checkpoint=true", "overwrite_output_dir=true")]
    [InlineData("no")]
    [InlineData("no", "resume_from_checkpoint=true")]
    [InlineData("only the model")]
    [InlineData("only the model", "resume_from_checkpoint=true")]
    public void It_is_told_and_nothing_is_written(string saved, params string[] again)
    {
        string[] saving = saved switch { "no" => ["save_strategy=no"], "steps" => ["save_steps=1"], _ => ["save_steps=1", "save_only_model=true"] };
        Train([.. saving, "max_steps=2"]);
        var before = FolderState.Of(run.Out());
        var notice = Assert.Single(Train([.. saving, "max_steps=2", .. again]));
        Assert.StartsWith(Said, notice);
        Assert.Contains("num_train_epochs or max_steps", notice);
        Assert.Contains("output_dir", notice);
        Assert.Contains("overwrite_output_dir: true", notice);
        Assert.Equal(before, FolderState.Of(run.Out()));
        var (code, errors) = FailureTests.Invoke(run.Train("out", [.. saving, "max_steps=2", .. again]));
        Assert.Equal(0, code);
        Assert.Empty(errors);
        Assert.Equal(before, FolderState.Of(run.Out()));
    }

    [Fact]
    [Trait("Category", "Long")]
    public void Several_ranks_say_so_too_with_and_without_the_launcher()
    {
        string[] once = [.. run.Train("out", "max_steps=2", "save_steps=1")];
        RankGroup.Run(2, once);
        var before = FolderState.Of(run.Out());
        var ranks = RankGroup.Run(2, [.. once, "resume_from_checkpoint=true"]);
        Assert.Contains(Said, ranks[0].Output);
        Assert.Empty(ranks[1].Output);
        using var launched = FoveaProcess.StartWith(LaunchRun.Variables(("NPROC_PER_NODE", "2")), once);
        Assert.True(launched.Wait() == 0, launched.Errors);
        Assert.Contains(Said, launched.Output);
        Assert.Equal(before, FolderState.Of(run.Out()));
    }

    [Fact]
    public void More_steps_go_on_and_a_result_that_is_not_there_is_written_again()
    {
        Train("max_steps=2", "save_steps=1");
        var adapter = run.Adapter("out");
        File.Delete(run.Out("out/adapter_model.safetensors"));
        Assert.DoesNotContain(Train("max_steps=2", "save_steps=1"), notice => notice.Contains("has ended"));
        Assert.Equal(adapter, run.Adapter("out"));
        Assert.Contains(Train("max_steps=3", "save_steps=1", "resume_from_checkpoint=true"), notice => notice.Contains("checkpoint-2 at step 2 of 3"));
        Assert.Equal(3, run.Losses("out").Length);
    }

    [Fact]
    public void Another_run_than_the_one_that_ended_is_refused_as_before()
    {
        Train("max_steps=2", "save_steps=1");
        Assert.Contains("training samples", Assert.Throws<ConfigException>(() => Train("max_steps=2", "max_samples=10")).Message);
    }

    [Fact]
    public void A_run_that_went_on_from_an_older_checkpoint_has_not_ended_when_it_is_killed()
    {
        Train("max_steps=4", "save_steps=1");
        using (var seen = new SeenEvents(stopAfter: 3))
        {
            var config = Config("max_steps=4", "save_steps=9", "save_strategy=no", $"resume_from_checkpoint={run.Out("out/checkpoint-2")}");
            Assert.True(SupervisedFineTune.Run(config, [seen], seen.Stop).Interrupted);
        }

        Assert.Contains(Train("max_steps=4", "resume_from_checkpoint=true"), notice => notice.Contains("checkpoint-3 at step 3 of 4"));
    }

    [Fact]
    public void A_run_that_names_an_older_checkpoint_trains_once_and_has_ended_when_the_same_command_comes_again()
    {
        Train("max_steps=4", "save_steps=1");
        string[] back = ["max_steps=4", "save_steps=1", $"resume_from_checkpoint={run.Out("out/checkpoint-2")}/"];
        Assert.Contains(Train(back), notice => notice.Contains("checkpoint-2") && notice.Contains("at step 2 of 4"));
        var before = FolderState.Of(run.Out());
        Assert.StartsWith("this run has ended: all 4 steps", Assert.Single(Train(back)));
        Assert.Equal(before, FolderState.Of(run.Out()));
        Assert.Contains(Train([.. back[..2], $"resume_from_checkpoint={run.Out("out/checkpoint-1")}"]), notice => notice.Contains("at step 1 of 4"));
    }

    [Fact]
    public void Auto_begins_where_there_is_nothing_and_goes_on_where_there_is()
    {
        Assert.DoesNotContain(Train("max_steps=2", "save_steps=1", "resume_from_checkpoint=auto"), notice => notice.Contains("resuming"));
        Assert.Contains(Train("max_steps=3", "resume_from_checkpoint=auto"), notice => notice.Contains("checkpoint-2 at step 2 of 3"));
    }

    protected override void Cleanup() => run.Dispose();

    private TrainConfig Config(params string[] overrides) => TrainConfig.Load(run.Config, [$"output_dir={run.Out()}", .. overrides]);

    private List<string> Train(params string[] overrides)
    {
        using var seen = new SeenEvents();
        Assert.False(SupervisedFineTune.Run(Config(overrides), [seen]).Interrupted);
        return [.. seen.Notices];
    }
}
