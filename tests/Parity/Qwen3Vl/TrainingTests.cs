using System.Text.Json;
using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Models.Qwen3Vl;
using Fovea.Nn;
using Fovea.Training.Features;
using Fovea.Training.Optim;
using Fovea.Training.Session;

namespace Fovea.Tests.Parity.Qwen3Vl;

/// <summary>
/// Runs of Transformers and PEFT on the tiny model (tests/goldens/qwen3_vl): 20 steps of LoRA, 8 steps of every weight; losses, norms, first gradients and
/// what became of the weights, however samples are packed and whatever is computed again.
/// </summary>
public sealed class TrainingTests : NativeTest
{
    private readonly TinyData data = new();
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-qwen3vl-").FullName;
    private Qwen3VlModel? model;
    private AdamW? optimizer;
    private VisionFeatureCache? cache;

    [Theory]
    [InlineData(1_000_000, "Keep")]
    [InlineData(1, "Recompute")]
    [InlineData(110, "Selective")]
    public void Every_loss_norm_and_first_gradient_of_the_LoRA_run_agrees(int microBatchTokens, string mode)
    {
        var config = LoadLora(mode);
        Run("train_lora", microBatchTokens);

        // What is saved is called as PEFT calls it, and is what PEFT had.
        PeftAdapter.Save(model!, config, folder);
        using var saved = Checkpoint.OpenAdapter(folder);
        using var expected = Checkpoint.OpenAdapter(TestFiles.Golden("qwen3_vl/adapter_final"));
        Assert.Equal(expected.Tensors.Keys.Order(StringComparer.Ordinal), saved.Tensors.Keys.Order(StringComparer.Ordinal));
        using var ours = new Golden(folder);
        using var theirs = new Golden(TestFiles.Golden("qwen3_vl/adapter_final"));
        foreach (var name in expected.Tensors.Keys)
        {
            Golden.NearRelative(name, theirs.Floats(name), ours.Floats(name), 1e-4);
        }
    }

    [Theory]
    [InlineData(1_000_000, "Keep")]
    [InlineData(1, "Selective")]
    [InlineData(110, "Recompute")]
    public void Every_loss_norm_first_gradient_and_change_of_the_full_run_agrees(int microBatchTokens, string mode)
    {
        model = TinyData.Load(new ModelOptions { Trainable = (_, _) => true, BlockMode = Enum.Parse<BlockMode>(mode) });
        var before = model.Ledger.Parameters.ToDictionary(p => p.Name, p => p.Value.ToArray<float>());
        Run("train_full", microBatchTokens);
        var changes = Golden.Json(TestFiles.Golden("qwen3_vl/train_full.json")).GetProperty("final_change_norms").EnumerateObject().ToList();
        Assert.Equal(model.Ledger.Parameters.Select(p => p.Name).Order(StringComparer.Ordinal), changes.Select(c => c.Name).Order(StringComparer.Ordinal));
        foreach (var change in changes)
        {
            var after = model.Ledger[change.Name].Value.ToArray<float>();
            var norm = Math.Sqrt(before[change.Name].Zip(after, (a, b) => Math.Pow((double)a - b, 2)).Sum());
            Near(change.Name, change.Value.GetDouble(), norm, 1e-3 * change.Value.GetDouble());
        }
    }

    [Fact]
    public void Cached_features_change_no_loss_of_the_LoRA_run()
    {
        LoadLora("Keep");
        cache = new VisionFeatureCache(64 << 20);
        Run("train_lora", 110);
        Assert.True(cache.Hits > 20, $"{cache.Hits} hits");
    }

    [Fact]
    public void Cached_features_of_a_frozen_tower_change_no_loss_while_the_projector_learns()
    {
        List<double>[] runs = [.. new[] { false, true }.Select(cached =>
        {
            model = TinyData.Load(new ModelOptions { Trainable = (part, _) => part == ModelPart.Projector });
            cache = cached ? new VisionFeatureCache(64 << 20) : null;
            Assert.Equal(6, model.Ledger.Trainable.Count());
            var losses = Losses();
            Assert.True(cache is null || cache.Hits > 20, $"{cache?.Hits} hits");
            End();
            return losses;
        })];
        Assert.NotEqual(runs[0][0], runs[0][^1]);
        for (var step = 0; step < runs[0].Count; step++)
        {
            // The cache hands the tower other images together, which rounds otherwise.
            Assert.Equal(runs[0][step], runs[1][step], TestDevice.Tolerance(1e-5));
        }

        List<double> Losses()
        {
            optimizer = new AdamW(model!.Ledger.Trainable, 0.9, 0.999, 1e-8, 0);
            var runner = Runner();
            return [.. Enumerable.Range(0, 10).Select(step =>
            {
                using var scope = TensorScope.Open("step");
                using var batch = data.Plan(step, [data.Rows[step % 2], data.Rows[4], data.Rows[5]]);
                var loss = batch.MicroBatches.Sum(micro => runner.Train(micro, step, StepTotals.Of(batch)).Loss);
                optimizer.Clip(1);
                optimizer.Step(1e-3);
                return loss;
            })];
        }
    }

    protected override void Cleanup()
    {
        End();
        data.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    private static void Near(string what, double expected, double actual, double tolerance) =>
        Assert.True(Math.Abs(expected - actual) <= TestDevice.Tolerance(tolerance), $"{what}: expected {expected}, found {actual}");

    private void End()
    {
        optimizer?.Dispose();
        model?.Dispose();
        cache?.Dispose();
        (optimizer, model, cache) = (null, null, null);
    }

    private PeftConfig LoadLora(string mode)
    {
        model = TinyData.Load(new ModelOptions { BlockMode = Enum.Parse<BlockMode>(mode) });
        return PeftAdapter.Attach(model, ModelSource.Open(TinyData.Folder).Family, TestFiles.Golden("qwen3_vl/adapter_init"), trainable: true);
    }

    private StepRunner Runner() => new(
        model!,
        TrainableRule.ReachesVision(model!.Ledger.Trainable.Select(p => p.Name), ModelSource.Open(TinyData.Folder).Family.PartOf),
        cache: cache);

    private void Run(string run, int microBatchTokens)
    {
        var golden = Golden.Json(TestFiles.Golden($"qwen3_vl/{run}.json"));
        optimizer = new AdamW(model!.Ledger.Trainable, 0.9, 0.999, 1e-8, 0);
        var runner = Runner();
        foreach (var step in golden.GetProperty("log").EnumerateArray())
        {
            using var scope = TensorScope.Open("step");
            var number = step.GetProperty("step").GetInt32();
            using var batch = data.Plan(number, [.. step.GetProperty("samples").EnumerateArray().Select(row => data.Rows[row.GetInt32()])], microBatchTokens);
            var loss = batch.MicroBatches.Sum(micro => runner.Train(micro, number, StepTotals.Of(batch)).Loss);
            Near($"{run} step {number} loss", step.GetProperty("loss").GetDouble(), loss, 2e-5);
            var norm = step.GetProperty("grad_norm").GetDouble();
            Near($"{run} step {number} norm", norm, optimizer.Clip(1), 1e-4 * norm);
            if (number == 0)
            {
                Gradients(run, golden);
            }

            optimizer.Step(step.GetProperty("lr").GetDouble());
        }

        using var tensors = new Golden(TestFiles.Golden($"qwen3_vl/{run}.safetensors"));
        foreach (var final in golden.GetProperty("final_losses").EnumerateObject())
        {
            using var noGrad = Autograd.NoGrad();
            using var scope = TensorScope.Open("test");
            using var plan = data.Plan(0, [data.Named(final.Name)]);
            Near($"{run} {final.Name}", final.Value.GetDouble(), runner.Evaluate(plan.MicroBatches[0]).TokenLosses.Average(loss => (double)loss), 1e-4);
            var input = model.Prepare(plan.MicroBatches[0]);
            var logits = model.Hidden(input, model.VisionFeatures(input)).Linear(model.Head.Use());
            var rows = CreateOps.On(TestDevice.Device, data.Forward.Longs($"{final.Name}.logits_rows"));
            tensors.Near($"final_logits.{final.Name}", logits.IndexSelect(0, rows), 1e-4);
        }
    }

    private void Gradients(string run, JsonElement golden)
    {
        using var tensors = new Golden(TestFiles.Golden($"qwen3_vl/{run}.safetensors"));
        var ours = optimizer!.Parts.ToDictionary(part => part.Name, part => part.Value.Grad()!.Contiguous().ToArray<float>());
        var norms = golden.GetProperty("first_step_clipped_grad_norms").EnumerateObject().ToDictionary(n => Plain(n.Name), n => n.Value.GetDouble());
        Assert.Equal(norms.Keys.Order(StringComparer.Ordinal), ours.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, norm) in norms)
        {
            Near(name, norm, Math.Sqrt(ours[name].Sum(value => (double)value * value)), 1e-4 * norm);
        }

        const string start = "first_step_clipped_grad.";
        var compared = tensors.Names.Where(name => name.StartsWith(start, StringComparison.Ordinal)).ToList();
        Assert.InRange(compared.Count, 40, 100);
        Assert.All(compared, name => Golden.NearRelative(name, tensors.Floats(name), ours[Plain(name[start.Length..])], 1e-4));
    }

    /// <summary>The ledger's spelling of one of PEFT's names.</summary>
    private static string Plain(string name) =>
        name.Replace("base_model.model.", string.Empty, StringComparison.Ordinal).Replace(".default", string.Empty, StringComparison.Ordinal);
}
