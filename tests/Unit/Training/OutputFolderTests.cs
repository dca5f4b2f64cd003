using System.Text.Json.Nodes;
using Fovea.Events;
using Fovea.Runs.Files;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Unit.Training;

/// <summary>What becomes of an output folder that is not empty: nothing before the first step has trained, and then only what Fovea made.</summary>
public sealed class OutputFolderTests : NativeTest
{
    private const string Log = RunningLogSink.FileName;
    private readonly TinyRun run = new();

    [Theory]
    [InlineData("a target that is nowhere")]
    [InlineData("weights that cannot be read")]
    [InlineData("an image that cannot be read in the first step")]
    [InlineData("a stop before the first step")]
    public void A_run_that_ends_before_its_first_step_has_trained_leaves_everything_as_it_was(string why)
    {
        Earlier();
        var before = FolderState.Without(run.Out(), Log);
        var log = run.Log("out");
        string[] anew = ["overwrite_output_dir=true", "plot_loss=true", "profile=true", "report_to=tensorboard", "save_steps=1"];
        switch (why)
        {
            case "a target that is nowhere":
                Assert.Throws<ConfigException>(() => Train([.. anew, "lora_target=q_porj"]));
                break;
            case "weights that cannot be read":
                var model = run.CopyOfModel();
                File.WriteAllBytes(Path.Combine(model, "model.safetensors"), [1, 2, 3]);
                Assert.ThrowsAny<Exception>(() => Train([.. anew, $"model_name_or_path={model}"]));
                break;
            case "an image that cannot be read in the first step":
                var broken = Path.Combine(TestFiles.Root, "tests", "goldens", "images", "broken", "truncated.jpg");
                var rows = run.Rows(4, all => all[0]!["images"]!.AsArray()[0] = broken);
                Assert.Contains(broken, Assert.ThrowsAny<Exception>(() => Train([.. anew, .. rows, "disable_shuffling=true"])).Message);
                break;
            default:
                using (var seen = new SeenEvents())
                {
                    seen.Cancel();
                    Assert.True(SupervisedFineTune.Run(Config(anew), [seen], seen.Stop).Interrupted);
                    var told = Assert.Single(seen.All.OfType<RunInterrupted>());
                    Assert.Equal((0, null, "run the same command again"), (told.Step, told.CheckpointPath, told.ResumeCommand));
                }

                break;
        }

        Assert.Equal(before, FolderState.Without(run.Out(), Log));
        Assert.StartsWith(log, run.Log("out"));
    }

    [Fact]
    public void A_stop_before_the_first_step_of_a_resumed_run_names_the_checkpoint_that_it_began_from_and_writes_none()
    {
        Train("max_steps=2", "save_steps=1");
        var before = FolderState.Without(run.Out(), Log);
        using var seen = new SeenEvents();
        seen.Cancel();
        var first = run.Out("out/checkpoint-1");
        Assert.True(SupervisedFineTune.Run(Config("max_steps=4", $"resume_from_checkpoint={first}"), [seen], seen.Stop).Interrupted);
        Assert.Equal(first, Assert.Single(seen.All.OfType<RunInterrupted>()).CheckpointPath);
        Assert.Equal(before, FolderState.Without(run.Out(), Log));
    }

    [Fact]
    public void A_run_that_begins_anew_removes_the_checkpoints_that_Fovea_made_and_nothing_else()
    {
        Earlier();
        var elsewhere = Path.Combine(run.Folder, "elsewhere");
        Directory.Move(run.Out("out/checkpoint-1"), elsewhere);
        Directory.CreateSymbolicLink(run.Out("out/checkpoint-1"), elsewhere);
        foreach (var name in new[] { "checkpoint-best", "checkpoint-notes", "checkpoint-7", "checkpoint-07", ".checkpoint-best.partial" })
        {
            Directory.CreateDirectory(run.Out($"out/{name}"));
            File.WriteAllText(run.Out($"out/{name}/notes.txt"), name);
        }

        FolderState.Copy(elsewhere, run.Out("out/checkpoint-9"));
        Directory.CreateDirectory(run.Out("out/.checkpoint-3.partial"));
        var notices = Train("overwrite_output_dir=true", "max_steps=2", "save_steps=2", "save_total_limit=1");
        Assert.Contains(notices, notice =>
            notice.StartsWith("checkpoint-1, checkpoint-7, checkpoint-9 in ", StringComparison.Ordinal) && notice.Contains("never removed"));
        Assert.Equal(
            ["checkpoint-07", "checkpoint-1", "checkpoint-2", "checkpoint-7", "checkpoint-9", "checkpoint-best", "checkpoint-notes"],
            Directory.GetDirectories(run.Out(), "checkpoint-*").Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal([".checkpoint-best.partial"], Directory.GetDirectories(run.Out(), ".*").Select(Path.GetFileName));
        Assert.Equal("checkpoint-7", File.ReadAllText(run.Out("out/checkpoint-7/notes.txt")));
        Assert.True(File.Exists(Path.Combine(elsewhere, "optimizer.safetensors")));
    }

    [Fact]
    public void A_folder_of_somebody_else_where_a_checkpoint_is_to_go_is_refused_before_anything()
    {
        Train("max_steps=1");
        Directory.CreateDirectory(run.Out("out/checkpoint-4"));
        File.WriteAllText(run.Out("out/checkpoint-4/trainer_state.json"), "{\"global_step\": 4, \"stateful_callbacks\": {}}");
        var before = FolderState.Of(run.Out());
        var e = Assert.Throws<ConfigException>(() => Train("overwrite_output_dir=true", "max_steps=6", "save_steps=2"));
        Assert.Contains("out/checkpoint-4 was not made by Fovea", e.Message);
        Assert.Equal(before, FolderState.Of(run.Out()));
        Train("overwrite_output_dir=true", "max_steps=3", "save_steps=2");
        Assert.True(File.Exists(run.Out("out/checkpoint-4/trainer_state.json")));
    }

    [Fact]
    public void Checkpoints_without_an_optimizer_are_known_by_their_mark_and_older_ones_without_it_stay()
    {
        Train("max_steps=3", "save_steps=1", "save_only_model=true", "save_total_limit=2");
        Assert.Equal(["checkpoint-2", "checkpoint-3"], Checkpoints());
        var state = JsonNode.Parse(File.ReadAllText(run.Out("out/checkpoint-2/trainer_state.json")))!;

        // Transformers refuses a state with a key that it does not know, so the mark stands where it passes over it.
        var plain = JsonNode.Parse(PythonJsonOf(new TrainerState()))!.AsObject().Select(pair => pair.Key);
        Assert.Equal(plain.Order(StringComparer.Ordinal), state.AsObject().Select(pair => pair.Key).Order(StringComparer.Ordinal));
        Assert.True(state["stateful_callbacks"]!.AsObject().Remove("Fovea"));
        File.WriteAllText(run.Out("out/checkpoint-2/trainer_state.json"), state.ToJsonString());

        var notices = Train("overwrite_output_dir=true", "max_steps=1", "save_only_model=true");
        Assert.Contains(notices, notice => notice.StartsWith("checkpoint-2 in ", StringComparison.Ordinal) && notice.Contains("save_only_model"));
        Assert.Equal(["checkpoint-1", "checkpoint-2"], Checkpoints());
        var e = Assert.Throws<ConfigException>(() => Train("max_steps=4", "resume_from_checkpoint=true"));
        Assert.Contains("holds no complete checkpoint (checkpoint-1 was saved with save_only_model)", e.Message);
    }

    protected override void Cleanup() => run.Dispose();

    private static string PythonJsonOf(TrainerState state)
    {
        var path = Path.GetTempFileName();
        try
        {
            state.Save(path);
            return File.ReadAllText(path);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private IEnumerable<string?> Checkpoints() => Directory.GetDirectories(run.Out(), "checkpoint-*").Select(Path.GetFileName).Order(StringComparer.Ordinal);

    /// <summary>A run with everything that runs leave, and something of the user's.</summary>
    private void Earlier()
    {
        Train("max_steps=3", "save_steps=1", "plot_loss=true", "profile=true", "report_to=tensorboard", "val_size=4", "do_eval=true");
        FolderState.Copy(run.Out("out/checkpoint-1"), run.Out("out/checkpoint-best"));
        File.WriteAllText(run.Out("out/mine.txt"), "mine");
    }

    private TrainConfig Config(params string[] overrides) => TrainConfig.Load(run.Config, [$"output_dir={run.Out()}", .. overrides]);

    private List<string> Train(params string[] overrides)
    {
        using var seen = new SeenEvents();
        SupervisedFineTune.Run(Config(overrides), [seen]);
        return [.. seen.Notices];
    }
}
