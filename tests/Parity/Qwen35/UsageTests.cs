using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Models.Qwen35;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Planning;

namespace Fovea.Tests.Parity.Qwen35;

/// <summary>The tiny model in exports, in runs that stop and go on, and in plans.</summary>
public sealed class UsageTests : NativeTest
{
    private static readonly string Adapter = TestFiles.Golden("qwen3_5/adapter_init");
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
        var alone = source.Tensors.Values.Where(entry => entry.Name.StartsWith("mtp.", StringComparison.Ordinal)).ToList();
        Assert.Equal(15, alone.Count);
        Assert.All(alone, entry => Assert.True(entry.Span.SequenceEqual(written[entry.Name].Span), entry.Name));
        using var model = (Qwen35Model)ModelSource.Open(target).Load(new ModelOptions());
        using var adapted = TinyData.Load();
        PeftAdapter.Attach(adapted, ModelSource.Open(TinyData.Folder).Family, Adapter, trainable: false);
        foreach (var name in new[] { "one", "two", "text" })
        {
            using var scope = TensorScope.Open("test");

            // Merging rounds once more, and small vectors that are brought to length 1 make more of it: 1.0e-4 here, 1.2e-4 in the original, which in doubles
            // has both alike to 8e-14 (noise.py beside the golden).
            Golden.Near(name, Logits(adapted, name).ToArray<float>(), Logits(model, name).ToArray<float>(), 3e-4);
        }
    }

    [Fact]
    public void A_tied_model_answers_with_its_embeddings_and_is_written_without_a_head()
    {
        using var tied = new ConfigFolder("qwen3_5/model");
        tied.Set("tie_word_embeddings", "true");
        tied.Set("text_config.tie_word_embeddings", "true");
        using (var source = Checkpoint.Open(TinyData.Folder))
        {
            SafetensorsWriter.Write(
                Path.Combine(tied.Path, "model.safetensors"),
                [.. source.Tensors.Values.Where(entry => entry.Name != "lm_head.weight").Select(TensorSource.FromEntry)]);
        }

        using (var model = (Qwen35Model)ModelSource.Open(tied.Path).Load(new ModelOptions()))
        {
            Assert.Same(model.Ledger["model.language_model.embed_tokens.weight"], model.Head);
            using var scope = TensorScope.Open("test");
            Assert.Contains(Logits(model, "one").ToArray<float>(), value => value != 0);
        }

        var target = Path.Combine(run.Folder, "tied");
        new ModelExport { Model = tied.Path, Target = target }.Run(_ => { });
        using var written = Checkpoint.Open(target);
        Assert.Equal(180, written.Tensors.Count);
        Assert.False(written.TryGet("lm_head.weight", out _));
    }

    [Theory]
    [InlineData("adapter_model.safetensors")]
    [InlineData("adapter_model.safetensors", "freeze_vision_tower=false", "freeze_multi_modal_projector=false")]
    [InlineData("model.safetensors", "finetuning_type=full", "freeze_vision_tower=false", "recompute=selective")]
    [InlineData("model.safetensors", "finetuning_type=full", "freeze_multi_modal_projector=false", "freeze_language_model=true")]
    public void A_run_that_is_taken_up_again_ends_with_the_same_bits(string file, params string[] keys)
    {
        string[] all = [$"model_name_or_path={TinyData.Folder}", "max_steps=4", "save_total_limit=9", "micro_batch_tokens=130", .. keys];
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
        using var step = data.Plan(0, [.. Enumerable.Repeat(data.Named("resized"), 8), data.Named("long")]);
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

    [Theory]
    [InlineData("0.8b", 5_411_328)]
    [InlineData("9b", 21_639_168)]
    public void Published_sizes_are_planned(string size, long adapter)
    {
        var yaml = $"model_name_or_path: {TestFiles.Golden($"qwen3_5_configs/{size}")}\nbf16: true\ncutoff_len: 2048\n";
        var plan = PlanRun.Run(
            TrainConfig.Parse(yaml, "c.yaml", use: ConfigUse.Plan),
            new MemoryPlanRequest { Ranks = [2], Stages = [3], Offloads = [OffloadKind.None], DeviceBytes = 80L << 30 });
        Assert.Equal(adapter, plan.TrainableParameters);
        Assert.InRange(plan.Rows[0].Device, 1L << 30, 80L << 30);
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

    private Tensor Logits(Qwen35Model model, string name)
    {
        using var noGrad = Autograd.NoGrad();
        using var step = data.Plan(0, [data.Named(name)]);
        var input = model.Prepare(step.MicroBatches[0]);
        var rows = CreateOps.From(data.Forward.Longs($"{name}.logits_rows"));
        return model.Hidden(input, model.VisionFeatures(input)).Linear(model.Head.Use()).IndexSelect(0, rows);
    }
}
