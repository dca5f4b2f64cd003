using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Planning;

namespace Fovea.Tests.Parity.Qwen35Moe;

/// <summary>The tiny model in exports, in runs that stop and go on, and in plans.</summary>
public sealed class UsageTests : NativeTest
{
    private static readonly string Folder = TestFiles.Golden("qwen3_5_moe/model");
    private static readonly string Adapter = TestFiles.Golden("qwen3_5_moe/adapter_init");
    private readonly TinyRun run = new();

    [Fact]
    public void An_export_has_the_checkpoint_s_names_the_adapter_s_logits_and_the_weights_for_several_tokens()
    {
        var target = Path.Combine(run.Folder, "merged");
        new ModelExport { Model = Folder, Adapters = [Adapter], Target = target }.Run(_ => { });
        using var source = Checkpoint.Open(Folder);
        using var written = Checkpoint.Open(target);
        Assert.Equal(source.Tensors.Keys, written.Tensors.Keys);
        Assert.All(source.Tensors.Values, entry => Assert.Equal(entry.Shape, written[entry.Name].Shape));
        var alone = source.Tensors.Values.Where(entry => entry.Name.StartsWith("mtp.", StringComparison.Ordinal)).ToList();
        Assert.Equal(12, alone.Count);
        Assert.All(alone, entry => Assert.True(entry.Span.SequenceEqual(written[entry.Name].Span), entry.Name));
        using var adapted = new GridRun("qwen3_5_moe");
        Assert.Contains(adapted.Model.Notices, notice => notice.Contains("12 weights mtp.*", StringComparison.Ordinal));
        var plain = Logits(adapted, adapted.Model);
        adapted.Attach();
        var expected = Logits(adapted, adapted.Model);
        Assert.True(expected.Zip(plain, (a, b) => Math.Abs(a - b)).Max() > 0.01);
        using var model = ModelSource.Open(target).Load(new ModelOptions());
        Golden.Near("merged", expected, Logits(adapted, model), 1e-4);
    }

    [Fact]
    public void Experts_as_wide_as_the_model_leave_the_outputs_first()
    {
        // Both halves of an expert are as wide as the model: that weight is square, and this family's files have the outputs first.
        using var square = new ConfigFolder("qwen3_5_moe/model");
        square.Set("text_config.moe_intermediate_size", "48");
        using var model = ModelSource.Open(square.Path).Build(new MetaSource(), new ModelOptions { Device = Device.Meta });
        var experts = model.Ledger.Adaptables.OfType<ExpertLinears>().ToList();
        Assert.Equal(8, experts.Count);
        var down = experts.Where(weight => weight.Path.EndsWith("down_proj", StringComparison.Ordinal));
        Assert.All(down, weight => Assert.Equal([8, 96, 48], weight.Weight.Shape));
        Assert.All(Enumerable.Range(0, 4), layer => Assert.True(model.Ledger.Contains($"model.language_model.layers.{layer}.mlp.shared_expert_gate.weight")));
    }

    [Fact]
    public void Experts_one_by_one_are_read_as_one_weight_and_written_as_one()
    {
        var source = Path.Combine(run.Folder, "apart");
        WriteApart(source, _ => true);
        using var whole = Checkpoint.Open(Folder);
        using (var apart = Checkpoint.Open(source))
        {
            Assert.Equal(whole.Tensors.Count - 8 + (4 * 8 * 3), apart.Tensors.Count);
        }

        using var rows = new GridRun("qwen3_5_moe");
        using (var model = ModelSource.Open(source).Load(new ModelOptions()))
        {
            Assert.Equal(Logits(rows, rows.Model), Logits(rows, model));
        }

        var target = Path.Combine(run.Folder, "together");
        new ModelExport { Model = source, Target = target }.Run(_ => { });
        using var written = Checkpoint.Open(target);
        Assert.Equal(whole.Tensors.Keys.Order(StringComparer.Ordinal), written.Tensors.Keys.Order(StringComparer.Ordinal));
        Assert.All(whole.Tensors.Values, entry => Assert.True(entry.Span.SequenceEqual(written[entry.Name].Span), entry.Name));
    }

    [Fact]
    public void An_expert_that_is_missing_is_told_by_name()
    {
        const string missing = "model.language_model.layers.2.mlp.experts.5.up_proj.weight";
        var source = Path.Combine(run.Folder, "gap");
        WriteApart(source, name => name != missing);
        var error = Assert.Throws<CheckpointException>(() => ModelSource.Open(source).Load(new ModelOptions()));
        Assert.Contains("1 missing: model.language_model.layers.2.mlp.experts.gate_up_proj", error.Message);
        Assert.Contains("model.language_model.layers.2.mlp.experts.0.gate_proj.weight", error.Message);
    }

    [Theory]
    [InlineData("adapter_model.safetensors")]
    [InlineData("adapter_model.safetensors", "freeze_multi_modal_projector=false", "moe_aux_loss_coef=0.01", "lora_dropout=0.1")]
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
    [InlineData("lora_target=shared_expert_gate", "language_model.layers.3.mlp.shared_expert_gate")]
    [InlineData("lora_target_parameters=mlp.experts.gate_up_proj,mlp.experts.down_proj", "language_model.layers.3.mlp.experts.base_layer")]
    public void Adapters_go_where_the_configuration_puts_them(string key, string module)
    {
        Succeeds(run.Train("parts", $"model_name_or_path={Folder}", "max_steps=1", key));
        using var saved = Checkpoint.OpenAdapter(run.Out("parts"));
        Assert.Contains(saved.Tensors.Keys, name => name.Contains($"model.{module}.lora_A", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("exclude_modules=in_proj_b,in_proj_a,shared_expert_gate")]
    [InlineData("rank_pattern={in_proj_b: 4, in_proj_a: 4, shared_expert_gate: 1}")]
    public void PiSSA_names_the_gates_that_are_too_small_for_its_rank_and_what_it_proposes_works(string remedy)
    {
        string[] keys = [$"model_name_or_path={Folder}", "max_steps=1", "pissa_init=true"];
        var (_, _, error) = FoveaProcess.Run(run.Train("refused", keys));
        Assert.Contains("in_proj_b [4, 96] (rank 8), in_proj_a [4, 96] (rank 8), shared_expert_gate [1, 96] (rank 8)", error);
        Assert.Contains("rank_pattern: {in_proj_b: 4, in_proj_a: 4, shared_expert_gate: 1}", error);
        Assert.Contains("exclude_modules: [in_proj_b, in_proj_a, shared_expert_gate]", error);
        Succeeds(run.Train("goes", [.. keys, remedy]));
    }

    [Theory]
    [InlineData(BlockMode.Keep)]
    [InlineData(BlockMode.Selective)]
    [InlineData(BlockMode.Recompute)]
    internal void The_plan_foretells_what_a_forward_pass_with_images_holds(BlockMode mode)
    {
        using var trained = new GridRun("qwen3_5_moe", mode, full: true);
        using var step = trained.Plan([.. Enumerable.Repeat(5, 8), 3], 1_000_000, 0);
        var batch = Assert.Single(step.MicroBatches);
        var config = TrainConfig.Parse("model_name_or_path: m\ndataset: d.json\noutput_dir: o\n", "test");
        var (model, blocks) = (trained.Model, trained.Model.Ledger.Blocks);
        var foretold = ActivationPlan.For(model, config, 1L << 40).Predict(blocks.ToDictionary(b => b, _ => mode), batch.Tokens, batch.Patches);
        using var scope = TensorScope.Open("micro-batch");
        using var count = MemoryCount.Start();
        var input = model.Prepare(batch);
        model.Hidden(input, model.VisionFeatures(input));
        TestContext.Current.TestOutputHelper?.WriteLine($"{mode}: {foretold} foretold, {count.Live} held");
        Assert.InRange((double)foretold / count.Live, 0.9, 1.1);
    }

    [Fact]
    public void The_published_size_counts_as_Transformers_counts_it_and_is_planned()
    {
        var folder = TestFiles.Golden("qwen3_5_moe_configs/35b-a3b");
        var source = ModelSource.Open(folder);
        using (var model = source.Build(new MetaSource(), new ModelOptions { Compute = DType.BF16, Device = Device.Meta }))
        {
            Assert.Equal(35_107_181_936, model.Ledger.Count);
            Assert.Equal(446_571_248, model.Ledger.Parameters.Where(p => source.Family.PartOf(p.Name) != ModelPart.Language).Sum(p => p.Count));
            var targets = LoraTargets.Choose(model, source.Family, ["all"]);
            Assert.Equal((4 * 10) + (5 * 30) + (4 * 40), targets.Paths.Count);
            Adapters.Attach(model.Ledger, new LoraOptions { Rank = 8 }, targets.Matches);
            Assert.Equal(11_238_720, model.Ledger.Trainable.Sum(p => p.Count));
        }

        var yaml = $"model_name_or_path: {folder}\nbf16: true\ncutoff_len: 2048\n";
        var plan = PlanRun.Run(
            TrainConfig.Parse(yaml, "c.yaml", use: ConfigUse.Plan),
            new MemoryPlanRequest { Ranks = [8], Stages = [3], Offloads = [OffloadKind.None], DeviceBytes = 80L << 30 });
        Assert.Equal(11_238_720, plan.TrainableParameters);
        Assert.InRange(plan.Rows[0].Device, 1L << 30, 80L << 30);
    }

    [Fact]
    public void A_dense_model_has_no_router_to_balance()
    {
        var thrown = Assert.Throws<ConfigException>(() => ModelSource.Open(TestFiles.Golden("qwen3_5/model")).Build(
            new MetaSource(), new ModelOptions { Device = Device.Meta, Family = new ExpertOptions { MoeAuxLossCoef = 0.1 } }));
        Assert.Contains("moe_aux_loss_coef is for models with experts", thrown.Message);
    }

    [Theory]
    [InlineData("text_config.num_experts_per_tok", "9", "num_experts_per_tok must be at most the number of experts, which is 8")]
    [InlineData("text_config.num_local_experts", "8", "num_local_experts")]
    [InlineData("text_config.mlp_only_layers", "[1]", "text_config.mlp_only_layers must be an empty list")]
    [InlineData("text_config.decoder_sparse_step", "2", "text_config.decoder_sparse_step must be 1")]
    [InlineData("text_config.shared_expert_intermediate_size", "0", "shared_expert_intermediate_size")]
    [InlineData("text_config.num_shared_experts", "2", "num_shared_experts")]
    [InlineData("text_config.hidden_act", "\"gelu\"", "text_config.hidden_act must be \"silu\"")]
    public void What_is_not_computed_is_refused_by_name(string field, string value, string error)
    {
        using var folder = new ConfigFolder("qwen3_5_moe/model");
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

    /// <summary>The golden's model with one tensor per linear of an expert.</summary>
    private static void WriteApart(string folder, Func<string, bool> keeps)
    {
        Directory.CreateDirectory(folder);
        ModelWriter.CopyCompanions(Folder, folder);
        File.Copy(Families.ConfigPath(Folder), Families.ConfigPath(folder));
        using var scope = TensorScope.Open("test");
        using var source = Checkpoint.Open(Folder);
        var weights = new CheckpointSource(source);
        var tensors = new List<TensorSource>();
        foreach (var entry in source.Tensors.Values)
        {
            if (!entry.Name.Contains(".experts.", StringComparison.Ordinal))
            {
                tensors.Add(TensorSource.FromEntry(entry));
                continue;
            }

            var (module, all) = (entry.Name[..entry.Name.LastIndexOf('.')], weights.Read(entry.Name, entry.Shape));
            string[] linears = entry.Name.EndsWith("gate_up_proj", StringComparison.Ordinal) ? ["gate_proj", "up_proj"] : ["down_proj"];
            var rows = entry.Shape[1] / linears.Length;
            for (var expert = 0; expert < entry.Shape[0]; expert++)
            {
                var one = all.Slice(0, expert, expert + 1).View(entry.Shape[1], entry.Shape[2]);
                tensors.AddRange(linears.Select((linear, part) => TensorBytes.Source(
                    $"{module}.{expert}.{linear}.weight", one.Slice(0, part * rows, (part + 1) * rows).Contiguous())));
            }
        }

        SafetensorsWriter.Write(Path.Combine(folder, "model.safetensors"), [.. tensors.Where(tensor => keeps(tensor.Name))]);
    }

    private static float[] Logits(GridRun rows, VisionLanguageModel model)
    {
        using var noGrad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        var input = rows.Input(2);
        return model.Hidden(input, model.VisionFeatures(input)).Linear(model.Head.Use()).ToArray<float>();
    }
}
