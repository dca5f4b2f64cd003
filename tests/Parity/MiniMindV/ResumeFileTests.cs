using System.Text.Json;
using Fovea.Events;
using Fovea.Runs.Events;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Parity.MiniMindV;

/// <summary>
/// Going on from the file of the published scripts (<c>..._resume.pth</c>): written here as they write it, from a checkpoint of a run that equals theirs.
/// Names, their order and the file's keys are those that the scripts' own run recorded (goldens train_*.json).
/// </summary>
public sealed class ResumeFileTests : NativeTest
{
    private readonly string output = Directory.CreateTempSubdirectory("fovea-minimind-resume").FullName;
    private MiniMindFolder? folder;

    /// <summary>Kind, run, step after which it is cut, batches of its epoch done then, whether the optimizer numbers frozen weights too.</summary>
    public static TheoryData<string, string, int, int, bool> Cuts => new()
    {
        { "dense", "pretrain", 5, 1, false },
        { "dense", "sft_freeze1", 6, 2, true },
        { "dense", "sft_freeze0_acc2", 3, 2, false },
        { "dense", "sft_freeze0_acc2", 4, 3, false },
        { "moe", "sft_freeze1", 8, 4, false },
        { "moe", "sft_freeze0", 7, 3, false },
    };

    [Theory]
    [MemberData(nameof(Cuts))]
    public void A_run_goes_on_from_the_scripts_own_file_as_if_it_had_not_been_interrupted(string kind, string run, int cut, int batches, bool all)
    {
        var golden = Begin(kind, run);
        var whole = Run("whole", golden, "save_strategy=steps", $"save_steps={cut}");
        var file = Write(golden, cut, batches, all);
        var rest = Run("rest", golden, $"resume_from_checkpoint={file}");
        Assert.Equal(whole.Losses[cut..], rest.Losses);
        Assert.Equal(whole.Result, rest.Result);
        Assert.Contains(rest.Notices, n => n.Contains($"at step {cut} of {whole.Losses.Count}: after {batches} of the", StringComparison.Ordinal));
        var expected = PublishedRun.Updates(golden).Updates;
        Assert.All(rest.Losses, (loss, i) => Assert.Equal(expected[cut + i].Loss, loss, TestDevice.Tolerance(1e-4)));
        Assert.Equal(rest.Losses.Average(), rest.Mean!.Value, 1e-9);
        Assert.DoesNotContain(rest.Notices, n => n.Contains("samples come in this run's order", StringComparison.Ordinal)
            || n.Contains("its optimizer", StringComparison.Ordinal) || n.Contains("taken again", StringComparison.Ordinal));
    }

    [Fact]
    public void Batches_of_a_step_that_was_cut_are_taken_again_and_what_differs_is_told()
    {
        var golden = Begin("dense", "sft_freeze0_acc2");
        var whole = Run("whole", golden, "save_strategy=steps", "save_steps=2");

        // Saved after the first of the two batches of a step: the file has no gradients of it.
        var rest = Run("rest", golden, $"resume_from_checkpoint={Write(golden, 2, 1, all: false, epoch: 1)}", "data_seed=7", "weight_decay=0.1");
        Assert.Equal(whole.Losses.Count - 2, rest.Losses.Count);
        Assert.Contains(rest.Notices, n => n.Contains("1 batches are taken again", StringComparison.Ordinal));
        Assert.Contains(rest.Notices, n => n.Contains("samples come in this run's order", StringComparison.Ordinal));
        Assert.Contains(rest.Notices, n => n.Contains("its optimizer had weight_decay 0.01, this run has 0.1", StringComparison.Ordinal));
    }

    [Fact]
    public void A_file_at_the_end_of_the_run_is_saved_as_it_is_and_has_no_mean_loss()
    {
        var golden = Begin("dense", "sft_freeze1");
        var whole = Run("whole", golden, "save_strategy=steps", "save_steps=16");
        var rest = Run("rest", golden, $"resume_from_checkpoint={Write(golden, 16, 4, all: true)}");
        Assert.Empty(rest.Losses);
        Assert.Null(rest.Mean);
        Assert.Equal(whole.Result, rest.Result);
        Assert.Contains("\"train_loss\": null", File.ReadAllText(Path.Combine(output, "rest", "train_results.json")));
    }

    [Fact]
    public void A_file_of_another_number_of_ranks_is_converted_as_the_scripts_do_and_one_that_does_not_fit_is_refused()
    {
        var golden = Begin("dense", "sft_freeze1");
        Run("whole", golden, "save_strategy=steps", "save_steps=2");
        var two = Run("two", golden, $"resume_from_checkpoint={Write(golden, 2, 1, all: false, ranks: 3)}");
        Assert.Contains(two.Notices, n => n.Contains("at step 3 of 16: after 3 of the 4 batches of epoch 1", StringComparison.Ordinal));
        Assert.Contains(two.Notices, n => n.Contains("it was made on 3 ranks, this run has 1", StringComparison.Ordinal));

        var file = Write(golden, 2, 2, all: false);
        string Refused<T>(params string[] overrides) where T : Exception => Assert.Throws<T>(() => Run("no", golden, overrides)).Message;
        Assert.Contains("its optimizer has 28 weights, this run trains 6", Refused<CheckpointException>($"resume_from_checkpoint={file}", "freeze_llm=2"));
        Assert.Contains("an epoch of this run has 4", Refused<ConfigException>($"resume_from_checkpoint={Write(golden, 2, 9, all: false)}"));
        Assert.Contains("lora", Refused<ConfigException>($"resume_from_checkpoint={file}", "finetuning_type=lora", "freeze_llm=null"));
        Assert.Contains("model, optimizer, epoch and step", Refused<CheckpointException>($"resume_from_checkpoint={folder!.Weights}"));
    }

    protected override void Cleanup()
    {
        folder?.Dispose();
        Directory.Delete(output, recursive: true);
    }

    private JsonElement Begin(string kind, string run)
    {
        folder = new MiniMindFolder("c", kind);
        return folder.Json($"{kind}/train_{run}.json");
    }

    private (List<double> Losses, List<string> Notices, double? Mean, byte[] Result) Run(string name, JsonElement golden, params string[] overrides)
    {
        var sink = new Watch();
        var into = Path.Combine(output, name);
        var outcome = SupervisedFineTune.Run(PublishedRun.Config(folder!, golden, into, overrides), [sink]);
        return (sink.Losses, sink.Notices, outcome.TrainLoss, File.ReadAllBytes(Directory.EnumerateFiles(into, "*.pth").Single()));
    }

    /// <summary>The file as the scripts would have left it at a step of the run "whole".</summary>
    private string Write(JsonElement golden, int step, int batches, bool all, int ranks = 1, int? epoch = null)
    {
        var stepsPerEpoch = PublishedRun.Updates(golden).Updates.Count / PublishedRun.Epochs(golden);
        var file = new ScriptsFile(folder!, golden)
        {
            Epoch = epoch ?? ((step - 1) / stepsPerEpoch), Batches = batches, Ranks = ranks, NumbersFrozenWeights = all,
        };
        return file.Write(Path.Combine(output, "whole", $"checkpoint-{step}"), Path.Combine(output, $"sft_vlm_64_{step}_{batches}_{ranks}_resume.pth"));
    }

    private sealed class Watch : IEventSink
    {
        public List<double> Losses { get; } = [];

        public List<string> Notices { get; } = [];

        public void Write(RunEvent e)
        {
            if (e is StepLogged step)
            {
                Losses.Add(step.Loss!.Value);
            }
            else if (e is Notice notice)
            {
                Notices.Add(notice.Text);
            }
        }
    }
}
