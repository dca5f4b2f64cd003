using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Nn.FourBit;
using Fovea.Tests.Parity.Qwen25Vl;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Planning;
using Fovea.Training.Session;

using LossReduction = Fovea.Data.Packing.LossReduction;

namespace Fovea.Tests.Parity.FourBit;

/// <summary>
/// A model in bitsandbytes' 4 bits as Transformers saves it (tests/goldens/nf4/generate.py, thin.py): written here to the byte, read, and trained.
/// </summary>
public sealed class CheckpointTests : NativeTest
{
    private static readonly JsonElement Saved = Golden.Json(TestFiles.Golden("nf4/checkpoint.json"));
    private readonly TinyRun run = new();

    private string Written => run.Out("written");

    [Fact]
    public void A_model_is_written_as_Transformers_writes_it_to_the_byte_and_computes_its_losses_and_logits()
    {
        Export("infer_dtype=bfloat16");
        using (var checkpoint = Checkpoint.Open(Written))
        {
            var names = checkpoint.Tensors.Keys.Order(StringComparer.Ordinal).ToList();
            Assert.Equal(Saved.GetProperty("count").GetInt32(), names.Count);
            Assert.Equal(Saved.GetProperty("keys").GetString(), Hash(checkpoint, names, bytes: false));
            foreach (var weight in Saved.GetProperty("weights").EnumerateObject())
            {
                var own = names.Where(name => name == weight.Name || name.StartsWith($"{weight.Name}.", StringComparison.Ordinal));
                Assert.True(weight.Value.GetString() == Hash(checkpoint, own, bytes: true), weight.Name);
            }
        }

        var config = Golden.Json(Families.ConfigPath(Written)).GetProperty("quantization_config");
        var expected = JsonNode.Parse(Saved.GetProperty("quantization_config").GetRawText())!.AsObject();
        expected["bnb_4bit_compute_dtype"] = "bfloat16"; // what its weights are in, where the original's caller said fp32
        Assert.True(JsonNode.DeepEquals(expected, JsonNode.Parse(config.GetRawText())), config.GetRawText());
        Assert.Equal("6.0", config.GetProperty("llm_int8_threshold").GetRawText()); // Transformers rejects 6

        using var golden = new Golden(TestFiles.Golden("nf4/checkpoint.safetensors"));
        var samples = new TinySamples();
        using var model = ModelSource.Open(Written).Load(new ModelOptions { Device = TestDevice.Device });
        Assert.Equal(28, model.Ledger.Linears.Count(linear => linear.Weight.Packed is not null));
        Assert.Contains("28 linear layers are in 4 bits", Assert.Single(model.Notices));
        foreach (var loss in Saved.GetProperty("loss").EnumerateObject())
        {
            using var grad = Autograd.NoGrad();
            using var scope = TensorScope.Open("test");
            using var step = samples.Plan(0, [int.Parse(loss.Name[1..])], LossReduction.Token, 4096);
            var losses = new StepRunner(model, visionLearns: false).Evaluate(step.MicroBatches[0]).TokenLosses;
            Assert.Equal(loss.Value.GetDouble(), losses.Average(), TestDevice.Tolerance(1e-4));
            var input = model.Prepare(step.MicroBatches[0]);
            var logits = model.Hidden(input with { Wanted = null }, model.VisionFeatures(input)).Linear(model.Head.Use());
            golden.Near($"{loss.Name}.last_logits", logits.Slice(0, logits.Size(0) - 4, logits.Size(0)), 1e-4);
        }
    }

    [Theory]
    [InlineData("infer_dtype=bfloat16", DType.BF16, true)]
    [InlineData("double_quantization=false", null, false)]
    internal void The_disk_is_asked_for_what_is_written_and_little_more(string setting, DType? type, bool twice)
    {
        Export(setting);
        var plan = new ModelExport { Model = TinyRun.Model, Target = Written, DType = type };
        var asked = plan.RoundedBytes(ModelSource.Open(TinyRun.Model), new FourBitOptions(FourBitType.Nf4, twice));
        using var checkpoint = Checkpoint.Open(Written);
        var written = checkpoint.Tensors.Values.Sum(entry => entry.Bytes);
        Assert.InRange(asked, written, written + (28 * 256));
    }

    [Fact]
    public void Training_over_it_is_bitwise_training_over_the_base_that_is_rounded_as_it_is_loaded()
    {
        Export("infer_dtype=bfloat16");
        Works(["export", "--model", TinyRun.Model, "--out", run.Out("dense"), "infer_dtype=bfloat16"]);
        Works(run.Train("rounded", $"model_name_or_path={run.Out("dense")}", "quantization_bit=4", "max_steps=3"));
        Works(run.Train("read", $"model_name_or_path={Written}", "max_steps=3"));
        Works(run.Train("both", $"model_name_or_path={Written}", "quantization_bit=4", "quantization_type=fp4", "max_steps=3"));
        Assert.Equal(run.Adapter("rounded"), run.Adapter("read"));
        Assert.Equal(run.Adapter("read"), run.Adapter("both"));
        Assert.Contains("quantization_bit has no effect", run.Log("both"));
        Assert.Contains("the vision side is not rounded", run.Log("rounded"));
        Works(["plan", run.Config, $"model_name_or_path={Written}"]);
        Works(["chat", "--model", Written, "--prompt", "What is this?", "--max-new-tokens", "2", "--cpu"]);
        Assert.Contains("finetuning_type: lora", Fails(run.Train("full", $"model_name_or_path={Written}", "finetuning_type=full")));
        Assert.Contains("is quantised", Fails(["export", "--model", Written, "--out", run.Out("again")]));
    }

    [Theory]
    [InlineData("double_quantization=true")]
    [InlineData("double_quantization=false")]
    public void Its_codes_and_scales_stay_pages_of_its_files_and_are_planned_so(string setting)
    {
        Export("infer_dtype=bfloat16", setting);
        Works(["export", "--model", TinyRun.Model, "--out", run.Out("dense"), "infer_dtype=bfloat16"]);
        var options = new ModelOptions { Compute = DType.BF16 };
        var (read, pages) = Packed(Written, options);
        var twice = setting.EndsWith("true", StringComparison.Ordinal);
        var (rounded, none) = Packed(run.Out("dense"), options with { FourBit = new FourBitOptions(FourBitType.Nf4, twice) });
        Assert.Equal((read, read, 0), (pages, rounded, none));

        MemoryPlanRow Plan(string model, params string[] more) => PlanRun.Run(
            TrainConfig.Load(run.Config, [$"model_name_or_path={model}", "bf16=true", .. more], ConfigUse.Plan),
            new MemoryPlanRequest { Ranks = [1], Stages = [0], Offloads = [OffloadKind.None], Length = 256 }).Rows.Single();
        var (here, there) = (Plan(Written), Plan(run.Out("dense"), "quantization_bit=4", setting));
        Assert.Equal((read, read), (here.Mapped - there.Mapped, there.Weights - here.Weights));

        // All tensors of its files but the tables of codes and what describes them.
        using var checkpoint = Checkpoint.Open(Written);
        Assert.Equal(read, checkpoint.Tensors.Where(tensor => checkpoint.Tensors.ContainsKey($"{tensor.Key}.quant_map")
            || tensor.Key.EndsWith("absmax", StringComparison.Ordinal)).Sum(tensor => tensor.Value.Bytes));
    }

    [Fact]
    public void An_adapter_that_brought_tokens_leaves_it_in_4_bits()
    {
        Export("infer_dtype=bfloat16");
        Works(run.Train("tokens", "add_tokens=kreis", "trainable_token_indices=new", "max_steps=1"));
        Works(run.Train("on", $"model_name_or_path={Written}", $"adapter_name_or_path={run.Out("tokens")}", "max_steps=1"));
        Assert.Contains("28 linear layers are in 4 bits", run.Log("on"));
    }

    [Theory]
    [InlineData("llm_int8_skip_modules=[lm_head]", "lm_head")]
    [InlineData("llm_int8_skip_modules=[lm_head, k_proj, 'model\\.language_model\\.layers\\.[01]\\.mlp']", "k_proj")]
    [InlineData("quantization_type=fp4", null)]
    [InlineData("double_quantization=false", null)]
    public void Other_ways_to_round_are_read_as_they_were_written(string setting, string? skipped)
    {
        Export("infer_dtype=bfloat16", setting);
        Works(["export", "--model", TinyRun.Model, "--out", run.Out("dense"), "infer_dtype=bfloat16"]);
        Works(run.Train("rounded", $"model_name_or_path={run.Out("dense")}", "quantization_bit=4", setting, "max_steps=2"));
        Works(run.Train("read", $"model_name_or_path={Written}", "max_steps=2"));
        Assert.Equal(run.Adapter("rounded"), run.Adapter("read"));
        var list = Golden.Json(Families.ConfigPath(Written)).GetProperty("quantization_config").GetProperty("llm_int8_skip_modules");
        Assert.Contains("lm_head", list.EnumerateArray().Select(entry => entry.GetString()));
        using var checkpoint = Checkpoint.Open(Written);
        Assert.Equal(skipped is not null, checkpoint.Tensors.ContainsKey("visual.blocks.0.attn.qkv.weight.quant_map"));
        Assert.Equal(skipped != "k_proj", checkpoint.Tensors.ContainsKey("model.layers.3.self_attn.k_proj.weight.quant_map"));
        Assert.Equal(skipped != "k_proj", checkpoint.Tensors.ContainsKey("model.layers.1.mlp.up_proj.weight.quant_map"));
        Assert.True(checkpoint.Tensors.ContainsKey("model.layers.2.mlp.up_proj.weight.quant_map"));
    }

    [Fact]
    public void Shards_and_bytes_under_another_element_type_are_the_same_model()
    {
        Export("infer_dtype=bfloat16");
        var expected = Unpacked(Written);
        using (var merged = Saving(run.Out("sharded"), 700_000))
        {
            Assert.True(merged.Files.Count > 2);
        }

        Assert.Equal(expected, Unpacked(run.Out("sharded")));
        Rewrite(run.Out("stored"), (name, entry) => entry.DType == DType.U8 && entry.Shape is [var bytes, 1]
            ? TensorSource.FromEntry(entry) with { DType = DType.BF16, Shape = [bytes / 2, 1] }
            : TensorSource.FromEntry(entry));
        Assert.Equal(expected, Unpacked(run.Out("stored")));

        Checkpoint Saving(string target, long shard)
        {
            Rewrite(target, (_, entry) => TensorSource.FromEntry(entry), shard);
            return Checkpoint.Open(target);
        }
    }

    [Theory]
    [InlineData("absmax", "drop", "model.layers.0.mlp.up_proj.weight.absmax is missing")]
    [InlineData("nested_absmax", "drop", "model.layers.0.mlp.up_proj.weight.nested_absmax is missing")]
    [InlineData("nested_quant_map", "drop", "model.layers.0.mlp.up_proj.weight.nested_quant_map is missing")]
    [InlineData("quant_map", "drop", "model.layers.0.mlp.up_proj.weight.quant_map is missing")]
    [InlineData("quant_state.bitsandbytes__nf4", "drop", "model.layers.0.mlp.up_proj.weight.quant_state.bitsandbytes__nf4 is missing")]
    [InlineData("", "drop", "no tensor 'model.layers.0.mlp.up_proj.weight'")]
    [InlineData("", "short", "model.layers.0.mlp.up_proj.weight: 65536 bytes expected")]
    [InlineData("absmax", "short", "model.layers.0.mlp.up_proj.weight.absmax: U8[2048] expected, not U8[2047]")]
    [InlineData("quant_state.bitsandbytes__nf4", "\"blocksize\": 64>\"blocksize\": 48", "blocksize is 48")]
    [InlineData("quant_state.bitsandbytes__nf4", "\"nested_blocksize\": 256>\"nested_blocksize\": 512", "nested_blocksize is 512")]
    [InlineData("quant_state.bitsandbytes__nf4", "\"nf4\">\"int4\"", "quant_type is \"int4\"")]
    [InlineData("quant_state.bitsandbytes__nf4", "[512, 256]>[512, 128]", "32768 bytes expected")]
    [InlineData("quant_state.bitsandbytes__nf4", "{>[", "is not JSON")]
    [InlineData("quant_state.bitsandbytes__nf4", "[512, 256]>[256, 512]", "the model expects [512, 256], the checkpoint has [256, 512]")]
    public void A_broken_one_is_refused_by_file_and_key(string part, string damage, string problem)
    {
        Export("infer_dtype=bfloat16");
        var broken = $"model.layers.0.mlp.up_proj.weight{(part.Length > 0 ? "." : string.Empty)}{part}";
        Rewrite(run.Out("broken"), (name, entry) => name != broken ? TensorSource.FromEntry(entry) : damage switch
        {
            "drop" => null,
            "short" => TensorSource.FromBytes(name, entry.DType, [entry.Shape[0] - 1, .. entry.Shape[1..]], entry.Span[..^1].ToArray()),
            _ => Text(name, Encoding.UTF8.GetString(entry.Span).Replace(damage.Split('>')[0], damage.Split('>')[1])),
        });
        var error = Assert.Throws<CheckpointException>(() => ModelSource.Open(run.Out("broken")).Load(new ModelOptions()));
        Assert.Contains(problem, error.Message);
        Assert.Contains(run.Out("broken"), error.Message);

        static TensorSource Text(string name, string json) => TensorSource.FromBytes(name, DType.U8, [json.Length], Encoding.UTF8.GetBytes(json));
    }

    [Fact]
    public void What_config_json_says_and_files_do_not_hold_is_refused()
    {
        using var folder = new ConfigFolder("qwen2_5_vl_tiny/model");
        folder.Set("quantization_config", """{ "quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "nf4" }""");
        Assert.Contains("none in the files is", Assert.Throws<CheckpointException>(() => ModelSource.Open(folder.Path).Load(new ModelOptions())).Message);
        folder.Set("quantization_config", """{ "quant_method": "bitsandbytes", "load_in_8bit": true }""");
        Assert.Contains("load_in_4bit is not true", Assert.Throws<ConfigException>(() => ModelSource.Open(folder.Path).Load(new ModelOptions())).Message);
    }

    [Theory]
    [InlineData("qwen2_vl")]
    [InlineData("qwen3_vl")]
    [InlineData("qwen3_vl_moe")]
    [InlineData("qwen3_5")]
    [InlineData("qwen3_5_moe")]
    [InlineData("minicpm_v2")]
    [InlineData("minicpm_v26")]
    [InlineData("minicpm_v45")]
    [InlineData("minicpmv4_6")]
    public void Every_family_is_written_and_read(string name)
    {
        var source = TestFiles.Golden($"{name}/model");
        foreach (var setting in new[] { "llm_int8_skip_modules=[lm_head]", "quantization_type=nf4" })
        {
            Works(["export", "--model", source, "--out", Written, "export_quantization_bit=4", setting]);
            IReadOnlyList<string>? skipped = setting.Contains("lm_head") ? ["lm_head"] : null;
            using var rounded = ModelSource.Open(source).Load(
                new ModelOptions { FourBit = new FourBitOptions(FourBitType.Nf4, DoubleQuantization: true) { Skipped = skipped } });
            using var read = ModelSource.Open(Written).Load(new ModelOptions());
            Assert.Equal(skipped is not null, read.Ledger.Linears.All(linear => linear.Weight.Packed is not null));
            foreach (var (expected, actual) in rounded.Ledger.Parameters.Zip(read.Ledger.Parameters))
            {
                using var scope = TensorScope.Open("test");
                Assert.Equal((expected.Name, expected.Packed is null), (actual.Name, actual.Packed is null));
                Assert.True(expected.Dense().ToArray<float>().AsSpan().SequenceEqual(actual.Dense().To(DType.F32).ToArray<float>()), expected.Name);
            }
        }
    }

    [Fact]
    public void Linears_of_experts_in_4_bits_one_by_one_are_unpacked_into_the_weight_of_all_and_named()
    {
        var options = new FourBitOptions(FourBitType.Nf4, DoubleQuantization: true);
        var source = ModelSource.Open(TestFiles.Golden("qwen3_5_moe/model"));
        using var model = source.Load(new ModelOptions());
        using var export = new FourBitExport(model, source.Family, options);
        using var format = new FourBitFormat(options, Device.Cpu);
        using var checkpoint = Checkpoint.Open(source.Folder);
        using var scope = TensorScope.Open("test");
        var (tensors, expected) = (new List<TensorSource>(), new Dictionary<string, float[]>());
        foreach (var (name, entry) in checkpoint.Tensors)
        {
            if (!name.Contains(".experts.", StringComparison.Ordinal))
            {
                tensors.Add(TensorSource.FromEntry(entry));
                continue;
            }

            var (whole, unpacked) = (model.Ledger[name].Value, new List<float>());
            string[] kinds = name.EndsWith("down_proj", StringComparison.Ordinal) ? ["down"] : ["gate", "up"];
            var (rows, width) = (whole.Size(1) / kinds.Length, whole.Size(2));
            foreach (var (index, kind) in Enumerable.Range(0, (int)whole.Size(0) * kinds.Length).Select(i => (i, kinds[i % kinds.Length])))
            {
                var matrix = whole.View(-1, width).Slice(0, index * rows, (index + 1) * rows).Clone();
                var place = $"{name[..name.LastIndexOf('.')]}.{index / kinds.Length}.{kind}_proj.weight";
                tensors.AddRange(export.Sources(place, new Parameter(place, [rows, width], matrix, trainable: false, DType.F32), DType.F32));
                var packed = FourBitWeight.Pack(matrix, format);
                unpacked.AddRange(packed.Unpack(DType.F32).ToArray<float>());
                Array.ForEach([.. packed.Tensors], tensor => tensor.Dispose());
            }

            expected.Add(name, [.. unpacked]);
        }

        var folder = run.CopyOfModel("experts", source.Folder);
        ShardedWriter.Write(folder, tensors);
        using var read = ModelSource.Open(folder).Load(new ModelOptions());
        Assert.NotEmpty(expected);
        Assert.All(expected, pair => Assert.Equal(pair.Value, read.Ledger[pair.Key].Value.ToArray<float>()));
        Assert.Contains($"{expected.Count} weights are in 4 bits in its files and were unpacked", string.Join('\n', read.Notices));
    }

    protected override void Cleanup() => run.Dispose();

    /// <summary>Bytes of all weights in 4 bits with their scales, and those of them that are pages of a file of the folder.</summary>
    private static (long All, long Pages) Packed(string folder, ModelOptions options)
    {
        using var model = ModelSource.Open(folder).Load(options);
        var files = File.ReadLines("/proc/self/maps").Where(line => line.Contains(folder, StringComparison.Ordinal)).Select(line =>
            line.Split(' ')[0].Split('-').Select(end => nint.Parse(end, NumberStyles.HexNumber, CultureInfo.InvariantCulture)).ToArray()).ToList();
        var memory = model.Ledger.Linears.Select(linear => linear.Weight.Packed).OfType<FourBitWeight>().SelectMany(weight => weight.Tensors)
            .Select(tensor => tensor.Memory()).ToList();
        var pages = memory.Where(part => files.Exists(file => file[0] <= part.Address && part.Address < file[1]));
        return (memory.Sum(part => part.Bytes), pages.Sum(part => part.Bytes));
    }

    private static string Hash(Checkpoint checkpoint, IEnumerable<string> names, bool bytes)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var name in names)
        {
            var entry = checkpoint[name];
            hash.AppendData(Encoding.UTF8.GetBytes($"{name} {entry.DType.SafetensorsName()} {string.Join(',', entry.Shape)}\n"));
            hash.AppendData(bytes ? entry.Span : []);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Works(string[] arguments)
    {
        var (code, errors) = FailureTests.Invoke(arguments);
        Assert.True(code == 0, string.Join('\n', errors));
    }

    private static string Fails(string[] arguments)
    {
        var (code, errors) = FailureTests.Invoke(arguments);
        Assert.NotEqual(0, code);
        return string.Join('\n', errors);
    }

    private static float[][] Unpacked(string folder)
    {
        using var model = ModelSource.Open(folder).Load(new ModelOptions());
        using var scope = TensorScope.Open("test");
        return [.. model.Ledger.Parameters.Select(parameter => parameter.Dense().ToArray<float>())];
    }

    private void Export(params string[] overrides) =>
        Works(["export", "--model", TinyRun.Model, "--out", Written, "export_quantization_bit=4", .. overrides]);

    /// <summary>The written model with other tensors.</summary>
    private void Rewrite(string target, Func<string, TensorEntry, TensorSource?> change, long shard = ShardedWriter.DefaultShardBytes)
    {
        run.CopyOfModel(Path.GetFileName(target), Written);
        using var checkpoint = Checkpoint.Open(Written);
        ShardedWriter.Write(target, [.. checkpoint.Tensors.Select(tensor => change(tensor.Key, tensor.Value)).OfType<TensorSource>()], shard);
    }
}
