using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Planning;

namespace Fovea.Tests.Parity.Qwen2Vl;

/// <summary>The tiny model in exports, in runs that stop and go on, and in plans.</summary>
public sealed class UsageTests : NativeTest
{
    private static readonly string Folder = TestFiles.Golden("qwen2_vl/model");
    private static readonly string Adapter = TestFiles.Golden("qwen2_vl/adapter_init");
    private readonly TinyRun run = new();

    [Fact]
    public void An_export_has_the_checkpoint_s_names_and_the_adapter_s_logits()
    {
        var target = Path.Combine(run.Folder, "merged");
        new ModelExport { Model = Folder, Adapters = [Adapter], Target = target }.Run(_ => { });
        using var source = Checkpoint.Open(Folder);
        using var written = Checkpoint.Open(target);
        Assert.Equal(source.Tensors.Keys, written.Tensors.Keys);
        Assert.All(source.Tensors.Values, entry => Assert.Equal(entry.Shape, written[entry.Name].Shape));
        using var adapted = new GridRun("qwen2_vl");
        var plain = Logits(adapted, adapted.Model);
        adapted.Attach();
        var expected = Logits(adapted, adapted.Model);
        Assert.True(expected.Zip(plain, (a, b) => Math.Abs(a - b)).Max() > 0.01);
        using var model = ModelSource.Open(target).Load(new ModelOptions());
        Golden.Near("merged", expected, Logits(adapted, model), 1e-4);
    }

    [Fact]
    public void A_tied_model_answers_with_its_embeddings_and_is_written_without_a_head()
    {
        using var tied = new ConfigFolder("qwen2_vl/model");
        tied.Set("tie_word_embeddings", "true");
        using (var source = Checkpoint.Open(Folder))
        {
            SafetensorsWriter.Write(
                Path.Combine(tied.Path, "model.safetensors"),
                [.. source.Tensors.Values.Where(entry => entry.Name != "lm_head.weight").Select(TensorSource.FromEntry)]);
        }

        using (var model = ModelSource.Open(tied.Path).Load(new ModelOptions()))
        {
            Assert.Same(model.Ledger["model.embed_tokens.weight"], model.Head);
        }

        var target = Path.Combine(run.Folder, "tied");
        new ModelExport { Model = tied.Path, Target = target }.Run(_ => { });
        using var written = Checkpoint.Open(target);
        Assert.False(written.TryGet("lm_head.weight", out _));
    }

    [Theory]
    [InlineData("adapter_model.safetensors")]
    [InlineData("adapter_model.safetensors", "freeze_multi_modal_projector=false")]
    [InlineData("model.safetensors", "finetuning_type=full", "freeze_vision_tower=false", "recompute=selective")]
    public void A_run_that_is_taken_up_again_ends_with_the_same_bits(string file, params string[] keys)
    {
        string[] all = [$"model_name_or_path={Folder}", "max_steps=4", "save_total_limit=9", "micro_batch_tokens=130", .. keys];
        Succeeds(run.Train("whole", all));
        Succeeds(run.Train("cut", all));
        Directory.Delete(Path.Combine(run.Out("cut"), "checkpoint-4"), recursive: true);
        File.Delete(Path.Combine(run.Out("cut"), file));
        Succeeds(run.Train("cut", [.. all, "resume_from_checkpoint=true"]));
        Assert.Equal(run.Losses("whole"), run.Losses("cut"));
        Assert.Equal(File.ReadAllBytes(Path.Combine(run.Out("whole"), file)), File.ReadAllBytes(Path.Combine(run.Out("cut"), file)));
    }

    [Theory]
    [InlineData("freeze_vision_tower=false", "visual.blocks.0.attn.proj")]
    [InlineData("freeze_multi_modal_projector=false", "visual.merger.mlp.0")]
    public void A_part_that_is_not_frozen_gets_adapters_too(string key, string module)
    {
        Succeeds(run.Train("parts", $"model_name_or_path={Folder}", "max_steps=1", key));
        using var saved = Checkpoint.OpenAdapter(run.Out("parts"));
        Assert.Contains(saved.Tensors.Keys, name => name.Contains($"model.{module}.lora_A", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(BlockMode.Keep)]
    [InlineData(BlockMode.Selective)]
    [InlineData(BlockMode.Recompute)]
    internal void The_plan_foretells_what_a_forward_pass_with_images_holds(BlockMode mode)
    {
        using var trained = new GridRun("qwen2_vl", mode, full: true);
        using var step = trained.Plan([.. Enumerable.Repeat(5, 8), 3], 1_000_000, 0);
        var batch = Assert.Single(step.MicroBatches);
        var config = TrainConfig.Parse("model_name_or_path: m\ndataset: d.json\noutput_dir: o\n", "test");
        var (model, blocks) = (trained.Model, trained.Model.Ledger.Blocks);
        var foretold = ActivationPlan.For(model, config, 1L << 40).Predict(blocks.ToDictionary(b => b, _ => mode), batch.Tokens, batch.Patches);
        using var scope = TensorScope.Open("micro-batch");
        using var count = MemoryCount.Start();
        var input = model.Prepare(batch);
        model.Hidden(input, model.VisionFeatures(input));
        Assert.InRange((double)foretold / count.Live, 0.9, 1.1);
    }

    protected override void Cleanup() => run.Dispose();

    private static void Succeeds(string[] arguments)
    {
        var (code, errors) = FailureTests.Invoke(arguments);
        Assert.True(code == 0, string.Join("\n", errors));
    }

    private static float[] Logits(GridRun rows, VisionLanguageModel model)
    {
        using var noGrad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        var input = rows.Input(2);
        return model.Hidden(input, model.VisionFeatures(input)).Linear(model.Head.Use()).ToArray<float>();
    }
}
