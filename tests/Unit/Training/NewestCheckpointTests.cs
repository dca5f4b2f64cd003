using System.Text.Json.Nodes;
using Fovea.Launch;
using Fovea.Events;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training;
using Fovea.Training.Config;
using Fovea.Training.Recipes;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Training;

/// <summary>
/// A run that goes on from an older checkpoint leaves the later ones behind. From then on the newest is the one that it wrote last, everywhere:
/// at Ctrl-C, on <c>resume_from_checkpoint: true</c>, for <c>save_total_limit</c>, in the message of a loss that is not finite, and for the launcher.
/// </summary>
public sealed class NewestCheckpointTests : NativeTest
{
    private readonly TinyRun run = new();

    [Fact]
    public void After_going_on_from_an_older_one_a_stopped_run_names_its_own_and_so_does_resuming_wherever_the_folder_is_copied()
    {
        Branch();
        using (var seen = new SeenEvents(stopAfter: 3))
        {
            Train(seen, "save_steps=100", From(2));
            Assert.Equal(run.Out("out/checkpoint-3"), Assert.Single(seen.All.OfType<RunInterrupted>()).CheckpointPath);
        }

        // Times say nothing: in the copy the last one written is the oldest.
        FolderState.Copy(run.Out(), run.Out("copy"));
        Assert.Equal(run.Out("copy/checkpoint-3"), Newest("copy"));
        Assert.Equal(run.Out("out/checkpoint-3"), Newest());

        // Without the run's own log the checkpoints still say it.
        File.Delete(run.Out("copy/trainer_state.json"));
        Assert.Equal(run.Out("copy/checkpoint-3"), Newest("copy"));
        Assert.Equal(run.Out("out/checkpoint-3"), ResumedFrom("max_steps=6", "resume_from_checkpoint=true"));
    }

    [Fact]
    public void The_limit_keeps_what_was_written_last()
    {
        Branch();
        using (var seen = new SeenEvents(stopAfter: 5))
        {
            Train(seen, "save_steps=1", "save_total_limit=2", From(2));
        }

        Assert.Equal(["checkpoint-4", "checkpoint-5"], Checkpoints());
        Assert.Equal(run.Out("out/checkpoint-5"), Newest());
    }

    [Fact]
    public void The_first_one_after_going_back_is_not_the_one_to_go_when_only_one_is_kept()
    {
        Branch();
        using var seen = new SeenEvents(stopAfter: 3);
        Train(seen, "save_steps=100", "save_total_limit=1", From(2));
        Assert.Equal(["checkpoint-3"], Checkpoints());
    }

    [Theory]
    [InlineData("save_steps=100", 2)]
    [InlineData("save_steps=1", 3)]
    public void The_message_of_a_loss_that_is_not_finite_names_the_one_that_resuming_takes(string saving, int step)
    {
        Branch();
        var newest = run.Out($"out/checkpoint-{step}");
        using (var seen = new SeenEvents())
        {
            var e = Assert.Throws<TrainingException>(() => Train(seen, saving, "learning_rate=1e30", "lr_scheduler_type=constant", From(2)));
            Assert.StartsWith("step 4:", e.Message);
            Assert.EndsWith($" The last checkpoint is {newest}.", e.Message);
        }

        Assert.Equal(newest, Newest());
        Assert.Equal(newest, ResumedFrom("max_steps=6", "resume_from_checkpoint=true"));
    }

    [Fact]
    public void A_run_into_another_folder_names_where_it_came_from_until_it_has_one_of_its_own()
    {
        Branch();
        using (var seen = new SeenEvents())
        {
            Assert.Throws<TrainingException>(() => SupervisedFineTune.Run(
                Config("other", "learning_rate=1e30", "lr_scheduler_type=constant", "save_steps=100", From(2)), [seen]));
        }

        Assert.Equal(run.Out("out/checkpoint-2"), Newest("other"));
        Assert.Equal(run.Out("out/checkpoint-6"), Newest());
    }

    [Fact]
    public void The_launcher_starts_again_from_the_same_one()
    {
        Branch();
        var config = Config("out", "save_steps=100", From(2));
        var job = TrainJob.Create(config, ["train"], LaunchVariables.FromEnvironment(), processes: 1);
        var progress = job.Progress();
        var (arguments, how) = job.Again!();
        Assert.Equal(["train"], arguments);
        Assert.Equal($"from {run.Out("out/checkpoint-2")}, as before", how);

        // Dead after its first step, with nothing saved: not the later one of the run that was left behind.
        using (var seen = new SeenEvents())
        {
            Assert.Throws<TrainingException>(() => Train(seen, "save_steps=100", "learning_rate=1e30", "lr_scheduler_type=constant", From(2)));
        }

        (arguments, how) = job.Again!();
        Assert.Equal(["train", "--resume_from_checkpoint=true"], arguments);
        Assert.Equal("from checkpoint-2", how);
        using (var seen = new SeenEvents(stopAfter: 3))
        {
            Train(seen, "save_steps=100", From(2));
        }

        Assert.Equal("from checkpoint-3", job.Again!().How);
        Assert.NotEqual(progress, job.Progress());
    }

    [Fact]
    public void The_launcher_begins_a_run_anew_that_was_to_begin_anew_and_saved_nothing()
    {
        Branch();
        var job = TrainJob.Create(Config("out", "overwrite_output_dir=true"), ["train"], LaunchVariables.FromEnvironment(), processes: 1);
        Assert.Equal((string[])["train", "--overwrite_output_dir=true"], job.Again!().Arguments);
        using (var seen = new SeenEvents(stopAfter: 1))
        {
            Train(seen, "save_steps=100", "overwrite_output_dir=true");
        }

        Assert.Equal("from checkpoint-1", job.Again!().How);
    }

    [Fact]
    public void Checkpoints_of_an_earlier_version_go_by_their_steps_until_one_says_more()
    {
        Branch();
        File.Delete(run.Out("out/trainer_state.json"));
        foreach (var name in Checkpoints())
        {
            var path = run.Out($"out/{name}/fovea_state.json");
            var state = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
            Assert.True(state.Remove("order"));
            File.WriteAllText(path, state.ToJsonString());
        }

        Assert.Equal(run.Out("out/checkpoint-6"), Newest());
        using (var seen = new SeenEvents(stopAfter: 3))
        {
            Train(seen, "save_steps=100", From(2));
        }

        Assert.Equal(run.Out("out/checkpoint-3"), Newest());
    }

    protected override void Cleanup() => run.Dispose();

    /// <summary>Six steps, which other runs then go back from.</summary>
    private void Branch()
    {
        using var seen = new SeenEvents();
        Train(seen, "save_steps=2");
        Assert.Equal(["checkpoint-2", "checkpoint-4", "checkpoint-6"], Checkpoints());
    }

    private string From(int step) => $"resume_from_checkpoint={run.Out($"out/checkpoint-{step}")}";

    private string? Newest(string name = "out") => new CheckpointStore(run.Out(name), null).Newest;

    private string[] Checkpoints() =>
        [.. Directory.GetDirectories(run.Out(), "checkpoint-*").Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    private string ResumedFrom(params string[] overrides)
    {
        using var seen = new SeenEvents();
        try
        {
            Train(seen, overrides);
        }
        catch (TrainingException)
        {
            // The checkpoint of a loss that is not finite is there, and no better.
        }

        var notice = seen.Notices.Single(text => text.StartsWith("resuming ", StringComparison.Ordinal));
        return notice["resuming ".Length..notice.IndexOf(" at step", StringComparison.Ordinal)];
    }

    private TrainConfig Config(string name, params string[] overrides) =>
        TrainConfig.Load(run.Config, [$"output_dir={run.Out(name)}", "max_steps=6", .. overrides]);

    private void Train(SeenEvents seen, params string[] overrides) => SupervisedFineTune.Run(Config("out", overrides), [seen], seen.Stop);
}
