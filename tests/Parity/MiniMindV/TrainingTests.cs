using Fovea.Events;
using Fovea.Runs.Events;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Parity.MiniMindV;

/// <summary>
/// The recipe against the published training scripts, run as they are (goldens train_*.json): every loss and gradient norm of pretraining and fine-tuning,
/// with accumulation, with what is left over at an epoch's end, with several images.
/// </summary>
public sealed class TrainingTests : NativeTest
{
    private readonly string output = Directory.CreateTempSubdirectory("fovea-minimind-run").FullName;
    private MiniMindFolder? folder;

    public static TheoryData<string, string, string> Runs => new()
    {
        { "a", "dense", "pretrain" }, { "a", "dense", "sft_acc1" }, { "a", "dense", "sft_acc2" }, { "a", "dense", "sft_multi" },
        { "a", "moe", "pretrain" }, { "a", "moe", "sft_acc1" }, { "a", "moe", "sft_acc2" },
        { "c", "dense", "pretrain" }, { "c", "dense", "sft_freeze1" }, { "c", "dense", "sft_freeze0" }, { "c", "dense", "sft_freeze0_acc2" },
        { "c", "dense", "sft_multi" },
        { "c", "moe", "pretrain" }, { "c", "moe", "sft_freeze1" }, { "c", "moe", "sft_freeze0" }, { "c", "moe", "sft_freeze0_acc2" },
    };

    [Theory]
    [MemberData(nameof(Runs))]
    public void Every_loss_and_gradient_norm_of_a_published_run_agrees(string generation, string kind, string run)
    {
        folder = new MiniMindFolder(generation, kind);
        var golden = folder.Json($"{kind}/train_{run}.json");
        var steps = new Steps();
        SupervisedFineTune.Run(PublishedRun.Config(folder, golden, output), [steps]);
        var (expected, rates) = PublishedRun.Updates(golden);
        Assert.Equal(expected.Count, steps.Seen.Count);

        // What rounds to half precision (experts of generation A) may fall to either side, and training carries that on.
        var rounds = generation == "a" && kind == "moe";
        for (var i = 0; i < expected.Count; i++)
        {
            var (loss, norm) = expected[i];
            Assert.Equal(rates[i], steps.Seen[i].LearningRate, 1e-12);
            var (seenLoss, seenNorm) = (steps.Seen[i].Loss!.Value, steps.Seen[i].GradNorm!.Value);
            Assert.True(Math.Abs(loss - seenLoss) < TestDevice.Tolerance(rounds ? 5e-4 : 1e-4), $"update {i + 1}: loss {seenLoss}, not {loss}");
            var relative = Math.Abs(norm - seenNorm) / norm;
            Assert.True(relative < TestDevice.Tolerance(rounds ? 5e-3 : 1e-3), $"update {i + 1}: norm {seenNorm}, not {norm}");
        }
    }

    protected override void Cleanup()
    {
        folder?.Dispose();
        Directory.Delete(output, recursive: true);
    }

    private sealed class Steps : IEventSink
    {
        public List<StepLogged> Seen { get; } = [];

        public void Write(RunEvent e)
        {
            if (e is StepLogged step)
            {
                Seen.Add(step);
            }
        }
    }
}
