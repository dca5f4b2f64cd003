using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Models.MiniCpmV46;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Planning;

namespace Fovea.Tests.Parity.MiniCpmV46;

/// <summary>The tiny model in exports, in runs that stop and go on, and in plans.</summary>
public sealed class UsageTests : NativeTest
{
    private static readonly string Adapter = TestFiles.Golden("minicpmv4_6/adapter_init");
    private readonly TinyRun run = new();
    private readonly TinyData data = new();

    [Fact]
    public void An_export_has_the_checkpoint_s_names_and_the_logits_of_its_adapter()
    {
        var target = Path.Combine(run.Folder, "merged");
        new ModelExport { Model = TinyData.Folder, Adapters = [Adapter], Target = target }.Run(_ => { });
        using var source = Checkpoint.Open(TinyData.Folder);
        using var written = Checkpoint.Open(target);
        Assert.Equal(source.Tensors.Keys, written.Tensors.Keys);
        Assert.All(source.Tensors.Values, entry => Assert.Equal(entry.Shape, written[entry.Name].Shape));
        using var model = (MiniCpmV46Model)ModelSource.Open(target).Load(new ModelOptions());
        using var adapted = TinyData.Load();
        PeftAdapter.Attach(adapted, ModelSource.Open(TinyData.Folder).Family, Adapter, trainable: false);
        foreach (var name in new[] { "one", "two", "text" })
        {
            using var scope = TensorScope.Open("test");
            Golden.Near(name, Logits(adapted, name).ToArray<float>(), Logits(model, name).ToArray<float>(), 1e-4);
        }
    }

    [Theory]
    [InlineData("adapter_model.safetensors")]
    [InlineData("adapter_model.safetensors", "freeze_vision_tower=false", "freeze_multi_modal_projector=false")]
    [InlineData("model.safetensors", "finetuning_type=full", "freeze_vision_tower=false", "recompute=selective")]
    [InlineData("model.safetensors", "finetuning_type=full", "freeze_multi_modal_projector=false", "freeze_language_model=true")]
    [InlineData("model.safetensors", "finetuning_type=full", "freeze_vision_tower=false", "downsample_mode=4x")]
    public void A_run_that_is_taken_up_again_ends_with_the_same_bits(string file, params string[] keys)
    {
        string[] all =
        [
            $"model_name_or_path={TinyData.Folder}", "max_steps=4", "save_total_limit=9", "micro_batch_tokens=130", "template=minicpm_v_4_6", .. keys,
        ];
        Succeeds(run.Train("whole", all));
        Succeeds(run.Train("cut", all));
        Directory.Delete(Path.Combine(run.Out("cut"), "checkpoint-4"), recursive: true);
        File.Delete(Path.Combine(run.Out("cut"), file));
        Succeeds(run.Train("cut", [.. all, "resume_from_checkpoint=true"]));
        Assert.Equal(run.Losses("whole"), run.Losses("cut"));
        Assert.Equal(File.ReadAllBytes(Path.Combine(run.Out("whole"), file)), File.ReadAllBytes(Path.Combine(run.Out("cut"), file)));
    }

    [Theory]
    [InlineData(BlockMode.Keep)]
    [InlineData(BlockMode.Selective)]
    [InlineData(BlockMode.Recompute)]
    internal void The_plan_foretells_what_a_forward_pass_with_images_holds(BlockMode mode)
    {
        using var model = TinyData.Load(new ModelOptions { Trainable = (_, _) => true, BlockMode = mode });
        using var step = data.Plan([.. Enumerable.Repeat("resized", 8), "long"]);
        var batch = Assert.Single(step.MicroBatches);
        var config = TrainConfig.Parse("model_name_or_path: m\ndataset: d.json\noutput_dir: o\n", "test");
        var foretold = ActivationPlan.For(model, config, 1L << 40).Predict(model.Ledger.Blocks.ToDictionary(b => b, _ => mode), batch.Tokens, batch.Patches);
        using var scope = TensorScope.Open("micro-batch");
        using var count = MemoryCount.Start();
        var input = model.Prepare(batch);
        model.Hidden(input, model.VisionFeatures(input));
        TestContext.Current.TestOutputHelper?.WriteLine($"{mode}: {foretold} foretold, {count.Live} held");
        Assert.InRange((double)foretold / count.Live, 0.9, 1.1);
    }

    protected override void Cleanup()
    {
        data.Dispose();
        run.Dispose();
    }

    private static void Succeeds(string[] arguments)
    {
        var (code, errors) = FailureTests.Invoke(arguments);
        Assert.True(code == 0, string.Join("\n", errors));
    }

    private Tensor Logits(MiniCpmV46Model model, string name)
    {
        using var noGrad = Autograd.NoGrad();
        using var step = data.Plan([name]);
        var input = model.Prepare(step.MicroBatches[0]);
        var rows = CreateOps.From(data.Forward.Longs($"{name}.logits_rows"));
        return model.Hidden(input, model.VisionFeatures(input)).Linear(model.Head.Use()).IndexSelect(0, rows);
    }
}
