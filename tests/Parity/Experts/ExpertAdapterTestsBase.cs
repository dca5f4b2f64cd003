using System.Runtime.InteropServices;
using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Nn.Lora;

namespace Fovea.Tests.Parity.Experts;

/// <summary>LoRA on experts by target_parameters against PEFT (more.py beside the golden): steps, names in files, merging.</summary>
/// <param name="golden">The folder in tests/goldens.</param>
/// <param name="weights">How many weights the adapters have.</param>
/// <param name="template">How the golden's rows are encoded; null for the family's own.</param>
public abstract class ExpertAdapterTestsBase(string golden, int weights, string? template = null) : NativeTest
{
    private GridRun? run;

    [Theory]
    [InlineData(1_000_000, BlockMode.Keep)]
    [InlineData(1, BlockMode.Recompute)]
    [InlineData(150, BlockMode.Selective)]
    internal void Steps_agree_however_samples_are_packed_and_the_adapter_is_saved_as_PEFT_saves_it(int microBatchTokens, BlockMode mode)
    {
        run = new GridRun(golden, mode, template);
        using var known = new Golden(TestFiles.Golden($"{golden}/experts.safetensors"));
        var config = run.Attach("experts_init");
        Assert.Equal(weights, run.Model.Ledger.Trainable.Count());
        Compare(known, "initial_logits", run.Model, 2e-5);
        run.Train("experts", microBatchTokens, visionLearns: false, _ => CompareGradients(known));
        Compare(known, "final_logits", run.Model, 1e-4);

        using var folder = new TempFolder();
        PeftAdapter.Save(run.Model, config, folder.Path);
        using var saved = Checkpoint.OpenAdapter(folder.Path);
        using var final = new Golden(TestFiles.Golden($"{golden}/experts_final/adapter_model.safetensors"));
        Assert.Equal(final.Names.Order(StringComparer.Ordinal), saved.Tensors.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, entry) in saved.Tensors)
        {
            Assert.Equal(final.Shape(name), entry.Shape);
            Golden.NearRelative(name, final.Floats(name), MemoryMarshal.Cast<byte, float>(entry.Span).ToArray(), 1e-3);
        }

        var again = PeftConfig.Read(folder.Path);
        Assert.Equal(["mlp.experts.gate_up_proj", "mlp.experts.down_proj"], again.TargetParameters);

        Adapters.Merge(run.Model.Ledger);
        Compare(known, "merged_logits", run.Model, 1e-4);
        using var other = run.Source.Load(new ModelOptions());
        PeftAdapter.Attach(other, run.Source.Family, folder.Path, trainable: false);
        Compare(known, "final_logits", other, 1e-4);
    }

    [Fact]
    public void One_weight_alone_is_called_as_PEFT_calls_it()
    {
        run = new GridRun(golden);
        var experts = new ExpertTargets(run.Model, ["gate_up_proj"]);
        const string layer = "model.language_model.layers.2.mlp.experts";
        Assert.Equal($"{layer}.lora_A.weight", experts.ToFile(run.Model, $"{layer}.gate_up_proj.lora_A.weight"));
        Assert.Equal($"{layer}.gate_up_proj.lora_B.weight", experts.ToLedger($"{layer}.lora_B.weight"));
        Assert.Equal(4, experts.Paths.Count);
    }

    [Theory]
    [InlineData("mlp.experts.up_proj", false, "mlp.experts.up_proj matches no weight of experts; there are mlp.experts.gate_up_proj, mlp.experts.down_proj")]
    [InlineData("mlp.gate.weight", false, "mlp.gate.weight matches no weight of experts")]
    [InlineData("mlp.experts.down_proj", true, "the experts belong to the language model, which is frozen")]
    public void What_matches_nothing_is_refused_by_name(string name, bool frozen, string error)
    {
        run = new GridRun(golden);
        var thrown = Assert.Throws<ConfigException>(() => ExpertTargets.Choose(run.Model, [name], "lora_target_parameters", frozen));
        Assert.Contains(error, thrown.Message);
    }

    [Fact]
    public void An_adapter_with_dropout_on_experts_is_refused_as_PEFT_refuses_it()
    {
        using var folder = new TempFolder();
        var file = Path.Combine(folder.Path, "adapter_config.json");
        File.WriteAllText(
            file, File.ReadAllText(TestFiles.Golden($"{golden}/experts_init/adapter_config.json")).Replace("\"lora_dropout\": 0.0", "\"lora_dropout\": 0.1"));
        Assert.Contains("lora_dropout must be 0 with target_parameters", Assert.Throws<ConfigException>(() => PeftConfig.Read(folder.Path)).Message);
    }

    /// <summary>The initial adapter folded into a checkpoint: its names and shapes stay, its logits are the adapter's.</summary>
    protected void FoldsInto(string source, string target)
    {
        new ModelExport { Model = source, Adapters = [TestFiles.Golden($"{golden}/experts_init")], Target = target }.Run(_ => { });
        using var before = Checkpoint.Open(source);
        using var after = Checkpoint.Open(target);
        Assert.Equal(before.Tensors.Select(t => (t.Key, string.Join(",", t.Value.Shape))), after.Tensors.Select(t => (t.Key, string.Join(",", t.Value.Shape))));
        using var known = new Golden(TestFiles.Golden($"{golden}/experts.safetensors"));
        using var model = ModelSource.Open(target).Load(new ModelOptions());
        Compare(known, "initial_logits", model, 2e-5);
    }

    protected override void Cleanup() => run?.Dispose();

    private void Compare(Golden known, string name, VisionLanguageModel model, double tolerance)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        var samples = Golden.Json(TestFiles.Golden($"{golden}/forward.json")).GetProperty("samples");
        using var forward = new Golden(TestFiles.Golden($"{golden}/forward.safetensors"));
        var ids = samples.GetProperty("text").GetProperty("input_ids").EnumerateArray().Select(id => id.GetInt64()).ToArray();
        var input = model.PreparePrompt(ids, [], 0, new PackedAttention(new Segments([0, ids.Length])), out _);
        var rows = CreateOps.On(model.Device, forward.Longs("text.logits_rows")[..4]);
        known.Near(name, model.Hidden(input, null).Linear(model.Head.Use()).IndexSelect(0, rows), tolerance);
    }

    private void CompareGradients(Golden expected)
    {
        using var scope = TensorScope.Open("test");
        var known = expected.Names.Where(name => name.StartsWith("first_step", StringComparison.Ordinal)).ToHashSet();
        foreach (var parameter in run!.Model.Ledger.Trainable.Where(p => known.Remove($"first_step_clipped_grad.{run.NameOf(p.Name)}")))
        {
            var name = $"first_step_clipped_grad.{run.NameOf(parameter.Name)}";
            var (reference, found) = (expected.Floats(name), parameter.Value.Grad()!.ToArray<float>());
            if (found.Length > 1)
            {
                Golden.NearRelative(name, reference, found, 1e-4);
            }
            else
            {
                // One number is a sum that may all but cancel: held to the scale of all gradients, whose norm was about 1.
                Golden.Near(name, reference, found, 1e-6);
            }
        }

        Assert.Empty(known);
    }
}
