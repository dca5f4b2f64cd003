using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Models.MiniMindV;
using Fovea.Nn;
using Fovea.Training.Session;

namespace Fovea.Tests.Parity.MiniMindV;

/// <summary>Gradients of the first step of the published fine-tuning runs, the router's loss in them, whatever blocks keep.</summary>
public sealed class GradientTests : NativeTest
{
    private MiniMindFolder? folder;
    private MiniMindVModel? model;

    public static IEnumerable<TheoryDataRow> Modes =>
        from generation in new[] { "a", "c" }
        from kind in new[] { "dense", "moe" }
        from mode in new[] { BlockMode.Keep, BlockMode.Selective, BlockMode.Recompute }
        select new TheoryDataRow(generation, kind, mode);

    [Theory]
    [MemberData(nameof(Modes))]
    internal void Gradients_of_the_first_step_equal_the_originals(string generation, string kind, BlockMode mode)
    {
        folder = new MiniMindFolder(generation, kind);
        var run = folder.IsA ? "train_sft_acc1" : "train_sft_freeze0";
        var log = folder.Json($"{kind}/{run}.json");
        int[] rows = folder.IsA ? [0, 1] : [.. log.GetProperty("sample_order_per_epoch")[0].EnumerateArray().Take(2).Select(v => v.GetInt32())];
        var result = Train(rows, mode, MoeAuxiliary.Original, folder.IsA ? 288 : 160, 100_000);
        Assert.Equal(log.GetProperty("log")[0].GetProperty("loss").GetDouble(), result, TestDevice.Tolerance(1e-4));
        using var golden = new Golden(folder.Golden($"{kind}/{run}.safetensors"));
        foreach (var name in golden.Names)
        {
            using var scope = TensorScope.Open("test");
            var weight = MiniMindVFamily.Map.ToLedger(name["grad_preclip.step0.".Length..].Split('[')[0]);
            var gradient = model!.Ledger[weight].Value.Grad()!;
            var head = name.EndsWith(']') ? gradient.Slice(0, 0, int.Parse(name[(name.LastIndexOf(':') + 1)..^1])).Contiguous() : gradient;
            var (expected, seen) = golden.Pairs(name, head.ToArray<float>());
            Golden.NearRelative(name, expected, seen, folder is { IsA: true, Kind: "moe" } ? 2e-3 : 1e-4);
        }
    }

    [Theory]
    [InlineData("a", "moe")]
    [InlineData("c", "dense")]
    public void Packing_changes_neither_loss_nor_gradients(string generation, string kind)
    {
        folder = new MiniMindFolder(generation, kind);
        var together = Train([0, 1, 7], BlockMode.Keep, MoeAuxiliary.Tokens, 640, 100_000);
        var gradients = new Dictionary<string, float[]>();
        foreach (var parameter in model!.Ledger.Trainable)
        {
            using var scope = TensorScope.Open("test");
            gradients[parameter.Name] = parameter.Value.Grad()!.ToArray<float>();
        }

        model.Dispose();
        var apart = Train([0, 1, 7], BlockMode.Keep, MoeAuxiliary.Tokens, 640, 1);
        Assert.Equal(together, apart, 1e-5);
        foreach (var parameter in model.Ledger.Trainable)
        {
            using var scope = TensorScope.Open("test");
            Golden.NearRelative(parameter.Name, gradients[parameter.Name], parameter.Value.Grad()!.ToArray<float>(), 1e-4);
        }
    }

    protected override void Cleanup()
    {
        model?.Dispose();
        folder?.Dispose();
    }

    private double Train(int[] rows, BlockMode mode, MoeAuxiliary auxiliary, int cutoff, int microBatchTokens)
    {
        var own = new MiniMindVOptions { LabelMask = LabelMask.Original, MoeAux = auxiliary, EmptyThinkRatio = 0, AddSystemRatio = 0 };
        model = folder!.Load(new ModelOptions
        {
            Device = TestDevice.Device,
            Trainable = (part, _) => part != ModelPart.Vision,
            BlockMode = mode,
            Family = own,
        });
        var processor = ModelSource.Open(folder.Path).Process(null, own);
        var encoder = processor.NewEncoder(new DataOptions { CutoffLen = cutoff });
        var file = folder.IsA ? "train.jsonl" : "train.parquet";
        var samples = rows.Select(row => new StepSample(row, encoder.Encode(folder.Conversation(file, row)))).ToList();
        using var step = StepPlanner.Plan(0, [samples], new PlanOptions { MicroBatchTokens = microBatchTokens, Reduction = LossReduction.Mean });
        var runner = new StepRunner(model, visionLearns: true);
        var loss = 0.0;
        foreach (var batch in step.MicroBatches)
        {
            Fill(batch, processor.Images);
            loss += runner.Train(batch, 0, StepTotals.Of(step)).Loss;
        }

        return loss;
    }

    private static void Fill(PackedBatch batch, IMediaProcessor stage)
    {
        var target = batch.AllocatePixels(batch.Grids.Sum(g => g.Patches), stage.PatchLength);
        for (var i = 0; i < batch.Grids.Length; i++)
        {
            var values = batch.Grids[i].Patches * stage.PatchLength;
            stage.Process(batch.ImagePaths[i]).Parts[0].Patches.CopyTo(target);
            target = target[values..];
        }
    }
}
