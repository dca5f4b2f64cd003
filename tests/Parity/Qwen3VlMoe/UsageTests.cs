using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Planning;

namespace Fovea.Tests.Parity.Qwen3VlMoe;

/// <summary>The tiny model in exports, in runs that stop and go on, and in plans.</summary>
public sealed class UsageTests : NativeTest
{
    private static readonly string Folder = TestFiles.Golden("qwen3_vl_moe/model");
    private static readonly string Adapter = TestFiles.Golden("qwen3_vl_moe/adapter_init");
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
        using var adapted = new GridRun("qwen3_vl_moe");
        var plain = Logits(adapted, adapted.Model);
        adapted.Attach();
        var expected = Logits(adapted, adapted.Model);
        Assert.True(expected.Zip(plain, (a, b) => Math.Abs(a - b)).Max() > 0.01);
        using var model = ModelSource.Open(target).Load(new ModelOptions());
        Golden.Near("merged", expected, Logits(adapted, model), 1e-4);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Either_layout_of_experts_is_loaded_and_written_back_byte_for_byte(bool asTransformersWrites)
    {
        var source = Folder;
        if (asTransformersWrites)
        {
            source = Path.Combine(run.Folder, "transposed");
            Transposed.Write(source);
        }

        var target = Path.Combine(run.Folder, "written");
        new ModelExport { Model = source, Target = target }.Run(_ => { });
        using var before = Checkpoint.Open(source);
        using var after = Checkpoint.Open(target);
        Assert.Equal(before.Tensors.Keys, after.Tensors.Keys);
        foreach (var (name, entry) in before.Tensors)
        {
            Assert.Equal(entry.Shape, after[name].Shape);
            Assert.True(entry.Span.SequenceEqual(after[name].Span), name);
        }

        using var rows = new GridRun("qwen3_vl_moe");
        using var other = ModelSource.Open(source).Load(new ModelOptions());
        Golden.Near("layout", Logits(rows, rows.Model), Logits(rows, other), 1e-5);

        // The file's own memory: nothing was turned over.
        var weight = other.Ledger["model.language_model.layers.1.mlp.experts.gate_up_proj"];
        Assert.Equal(before[weight.Name].Shape, weight.Value.Shape);
    }

    [Fact]
    public void Where_one_of_the_shapes_cannot_tell_the_other_does()
    {
        // As wide as both halves of an expert: gate_up_proj is square.
        using var square = new ConfigFolder("qwen3_vl_moe/model");
        square.Set("text_config.moe_intermediate_size", "48");
        var source = ModelSource.Open(square.Path);
        foreach (var inputsFirst in new[] { true, false })
        {
            using var model = source.Build(new Shaped(inputsFirst), new ModelOptions { Device = Device.Meta });
            var layer = model.Ledger.Adaptables.OfType<ExpertLinears>().ToList();
            Assert.Equal(8, layer.Count);
            Assert.All(layer.Where(weight => weight.Path.EndsWith("down_proj", StringComparison.Ordinal)), weight =>
                Assert.Equal(inputsFirst ? [6, 48, 96] : [6, 96, 48], weight.Weight.Shape));
        }
    }

    [Fact]
    public void Layers_that_the_configuration_names_keep_an_MLP()
    {
        using var mixed = new ConfigFolder("qwen3_vl_moe/model");
        mixed.Set("text_config.mlp_only_layers", "[1]");
        mixed.Set("text_config.decoder_sparse_step", "2");
        using var model = ModelSource.Open(mixed.Path).Build(new MetaSource(), new ModelOptions { Device = Device.Meta });
        string[] sparse =
        [
            .. Enumerable.Range(0, 4).Where(layer => model.Ledger.Contains($"model.language_model.layers.{layer}.mlp.gate.weight")).Select(layer => $"{layer}"),
        ];
        Assert.Equal(["3"], sparse);
        Assert.Equal([128, 96], model.Ledger["model.language_model.layers.1.mlp.up_proj.weight"].Shape);
    }

    [Theory]
    [InlineData("adapter_model.safetensors")]
    [InlineData("adapter_model.safetensors", "freeze_multi_modal_projector=false", "moe_aux_loss_coef=0.01")]
    [InlineData("adapter_model.safetensors", "lora_target_parameters=mlp.experts.gate_up_proj,mlp.experts.down_proj")]
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
    [InlineData("freeze_multi_modal_projector=false", "visual.merger.linear_fc1")]
    [InlineData("lora_target_parameters=mlp.experts.gate_up_proj,mlp.experts.down_proj", "language_model.layers.3.mlp.experts.base_layer")]
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
        using var trained = new GridRun("qwen3_vl_moe", mode, full: true);
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

    [Theory]
    [InlineData("30b-a3b", 31_070_754_032, 538_631_408, 6_684_672)]
    [InlineData("235b-a22b", 235_670_022_896, 576_388_336, 25_411_584)]
    public void Published_sizes_count_as_Transformers_counts_them_and_are_planned(string size, long parameters, long vision, long adapter)
    {
        var folder = TestFiles.Golden($"qwen3_vl_moe_configs/{size}");
        var source = ModelSource.Open(folder);
        using (var model = source.Build(new MetaSource(), new ModelOptions { Compute = DType.BF16, Device = Device.Meta }))
        {
            Assert.Equal(parameters, model.Ledger.Count);
            Assert.Equal(vision, model.Ledger.Parameters.Where(p => source.Family.PartOf(p.Name) != ModelPart.Language).Sum(p => p.Count));
        }

        var yaml = $"model_name_or_path: {folder}\nbf16: true\ncutoff_len: 2048\n";
        var plan = PlanRun.Run(
            TrainConfig.Parse(yaml, "c.yaml", use: ConfigUse.Plan),
            new MemoryPlanRequest { Ranks = [8], Stages = [3], Offloads = [OffloadKind.None], DeviceBytes = 80L << 30 });
        Assert.Equal(adapter, plan.TrainableParameters);
        Assert.InRange(plan.Rows[0].Device, 1L << 30, 80L << 30);
    }

    [Theory]
    [InlineData("additional_target=mlp.experts", "experts, which are not saved whole beside an adapter")]
    [InlineData("lora_target_parameters=mlp.gate", "mlp.gate matches no weight of experts; there are mlp.experts.gate_up_proj, mlp.experts.down_proj")]
    public void A_run_that_cannot_be_saved_as_PEFT_would_is_refused(string key, string error)
    {
        var (code, errors) = FailureTests.Invoke(run.Train("refused", $"model_name_or_path={Folder}", "max_steps=1", key));
        Assert.NotEqual(0, code);
        Assert.Contains(error, string.Join("\n", errors));
    }

    [Fact]
    public void A_dense_model_has_no_router_to_balance()
    {
        var thrown = Assert.Throws<ConfigException>(() => ModelSource.Open(TestFiles.Golden("qwen3_vl/model")).Build(
            new MetaSource(), new ModelOptions { Device = Device.Meta, Family = new ExpertOptions { MoeAuxLossCoef = 0.1 } }));
        Assert.Contains("moe_aux_loss_coef is for models with experts", thrown.Message);
    }

    [Theory]
    [InlineData("text_config.num_experts_per_tok", "7", "num_experts_per_tok must be at most the number of experts, which is 6")]
    [InlineData("text_config.num_local_experts", "5", "num_local_experts must be what num_experts says, which is 6")]
    [InlineData("text_config.hidden_act", "\"gelu\"", "text_config.hidden_act must be \"silu\"")]
    [InlineData("text_config.shared_expert_intermediate_size", "40", "shared_expert_intermediate_size")]
    public void What_is_not_computed_is_refused_by_name(string field, string value, string error)
    {
        using var folder = new ConfigFolder("qwen3_vl_moe/model");
        folder.Set(field, value);
        var thrown = Assert.Throws<ConfigException>(() => ModelSource.Open(folder.Path).Build(new MetaSource(), new ModelOptions { Device = Device.Meta }));
        Assert.Contains(error, thrown.Message);
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

    /// <summary>Shapes of a file that has experts' matrices one way or the other.</summary>
    private sealed class Shaped(bool inputsFirst) : IWeightSource
    {
        public IReadOnlyCollection<string> Names => [];

        public bool Has(string name) => true;

        public long[]? ShapeOf(string name) => name.EndsWith("experts.gate_up_proj", StringComparison.Ordinal) ? [6, 96, 96]
            : name.EndsWith("experts.down_proj", StringComparison.Ordinal) ? inputsFirst ? [6, 48, 96] : [6, 96, 48]
            : null;

        public Tensor Read(string name, long[] shape) => CreateOps.Empty(ShapeOf(name) ?? shape, DType.BF16, Device.Meta);
    }
}
