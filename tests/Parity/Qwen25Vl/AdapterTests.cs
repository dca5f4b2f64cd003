using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Fovea.Data.Images;
using Fovea.Files.Pickle;
using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Models.Qwen25Vl;
using Fovea.Nn;
using Fovea.Nn.Lora;

namespace Fovea.Tests.Parity.Qwen25Vl;

/// <summary>Adapters that PEFT wrote (goldens/qwen2_5_vl_tiny/make/ref_train.py), on the tiny model: the logits after training are the original's.</summary>
public sealed class AdapterTests : NativeTest
{
    private static readonly string Base = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly string Trained = TestFiles.Golden("qwen2_5_vl_tiny/adapter_final_tokens");
    private static readonly ModelFamily Family = Families.All[0];
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-adapter-").FullName;

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public void Logits_with_the_trained_adapter_equal_the_original_s(int sample)
    {
        using var golden = new Golden(TestFiles.Golden("qwen2_5_vl_tiny/train_tokens.safetensors"));
        using var model = Load(Trained);
        Golden.Near($"final_logits.s{sample}", golden.Floats($"final_logits.s{sample}"), Logits(model, sample), 1e-4);
    }

    [Fact]
    public void Merging_leaves_the_logits_as_they_were()
    {
        using var model = Load(Trained);
        var adapted = Logits(model, 0);
        Adapters.Merge(model.Ledger);
        Assert.Empty(model.Ledger.AdapterParameters);
        Golden.Near("merged", adapted, Logits(model, 0), 1e-5);
    }

    [Fact]
    public void Saving_an_adapter_gives_the_original_file_byte_for_byte()
    {
        using var model = ModelSource.Open(Base).Load(new ModelOptions());
        var config = PeftAdapter.Attach(model, Family, Trained, trainable: true);
        Assert.Equal(56, model.Ledger.Trainable.Count());
        PeftAdapter.Save(model, config, folder);
        const string weights = "adapter_model.safetensors";
        Assert.Equal(File.ReadAllBytes(Path.Combine(Trained, weights)), File.ReadAllBytes(Path.Combine(folder, weights)));
        Assert.Equivalent(config, PeftConfig.Read(folder), strict: true);
        Assert.Contains("base_model: \"model\"", File.ReadAllText(Path.Combine(folder, "README.md")), StringComparison.Ordinal);
        Assert.Equal(["README.md", "adapter_config.json", weights], Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("base_model.model.model.layers", "")]
    [InlineData("base_model.model.model.language_model.layers", ".default")]
    [InlineData("base_model.model.model.layers", ".default")]
    public void Both_generations_of_names_and_the_adapter_s_own_name_load_to_the_same(string layers, string inner)
    {
        Rewrite(name => name.Replace("base_model.model.model.language_model.layers", layers, StringComparison.Ordinal)
            .Replace(".weight", $"{inner}.weight", StringComparison.Ordinal));
        AssertSameLogits();
    }

    [Fact]
    public void A_file_of_torch_save_loads_to_the_same()
    {
        using (var checkpoint = Checkpoint.OpenAdapter(Trained))
        {
            PickleWriter.WriteStateDict(Path.Combine(folder, "adapter_model.bin"), [.. checkpoint.Tensors.Values.Select(TensorSource.FromEntry)]);
        }

        CopyConfig(_ => { });
        AssertSameLogits();
    }

    [Theory]
    [InlineData("""["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]""", "24 tensors are missing: visual.blocks.0.mlp")]
    [InlineData("\"all-linear\"", null)]
    [InlineData("null", null)]
    [InlineData("\"model[.]layers[.].*_proj\"", null)]
    [InlineData("\"model[.]language_model[.]layers[.].*_proj\"", null)]
    public void Target_modules_are_understood_in_all_their_forms(string targets, string? problem)
    {
        Rewrite(name => name);
        CopyConfig(config => config["target_modules"] = JsonNode.Parse(targets));
        if (problem is null)
        {
            AssertSameLogits();
        }
        else
        {
            Assert.Contains(problem, AttachFails(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Full_paths_in_either_spelling_name_the_linears()
    {
        Rewrite(name => name);
        using var model = ModelSource.Open(Base).Load(new ModelOptions());
        var targets = LoraTargets.Choose(model, Family, ["all"]);
        CopyConfig(config => config["target_modules"] = new JsonArray([.. targets.ModuleNames.Select(name => (JsonNode)name)]));
        AssertSameLogits();
        CopyConfig(config => config["target_modules"] = new JsonArray([.. targets.Paths.Select(name => (JsonNode)name)]));
        AssertSameLogits();
    }

    [Fact]
    public void What_does_not_fit_is_reported_all_at_once()
    {
        const string layers = "base_model.model.model.language_model.layers";
        Rewrite(name => name switch
        {
            $"{layers}.0.mlp.up_proj.lora_A.weight" => $"{layers}.9.mlp.up_proj.lora_A.weight",
            $"{layers}.3.self_attn.q_proj.lora_A.weight" => null,
            _ => name,
        });
        CopyConfig(config => config["target_modules"] = @".*layers.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|qkv)$");
        var error = AttachFails();
        Assert.Contains($"1 tensors are no part of this model: {layers}.9.mlp.up_proj.lora_A.weight", error, StringComparison.Ordinal);
        Assert.Contains("2 tensors are missing: ", error, StringComparison.Ordinal);
        Assert.Contains("model.layers.0.mlp.up_proj.lora_A.weight", error, StringComparison.Ordinal);
        Assert.Contains("4 tensors belong to linears that target_modules does not name", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Another_rank_than_the_configuration_says_is_reported_with_both_shapes()
    {
        Rewrite(name => name);
        CopyConfig(config => config["r"] = 4);
        Assert.Contains("layers.0.mlp.down_proj.lora_A.weight: expected [4, 512], found [8, 512]", AttachFails(), StringComparison.Ordinal);
    }

    [Fact]
    public void Modules_to_save_replace_the_base_s_weights_and_come_back_when_saved()
    {
        var norm = new float[256];
        Array.Fill(norm, 2f);
        var bytes = MemoryMarshal.AsBytes(norm.AsSpan()).ToArray();
        Rewrite(name => name, [TensorSource.FromBytes("base_model.model.model.language_model.norm.weight", DType.F32, [256], bytes)]);
        CopyConfig(config => config["modules_to_save"] = new JsonArray("norm"));
        var config = PeftConfig.Read(folder);
        using var model = ModelSource.Open(Base).Load(new ModelOptions { Trainable = (_, name) => config.SavesWhole(name) && name == "model.norm.weight" });
        PeftAdapter.Attach(model, Family, folder, trainable: true);
        Assert.Equal(norm, model.Ledger["model.norm.weight"].Value.ToArray<float>());
        Assert.Contains(model.Ledger["model.norm.weight"], PeftAdapter.WholeWeights(model, config));

        using var frozen = ModelSource.Open(Base).Load(new ModelOptions());
        var error = Assert.Throws<ConfigException>(() => PeftAdapter.Attach(frozen, Family, folder, trainable: true));
        Assert.Contains("name the same modules in additional_target", error.Message, StringComparison.Ordinal);
        PeftAdapter.Attach(frozen, Family, folder, trainable: false);
        Assert.Equal(norm, frozen.Ledger["model.norm.weight"].Value.ToArray<float>());
        PeftAdapter.Save(frozen, config with { ModulesToSave = ["language_model.norm"] }, folder);
        using var saved = Checkpoint.OpenAdapter(folder);
        Assert.Equal(57, saved.Tensors.Count);
        Assert.True(saved.TryGet("base_model.model.model.language_model.norm.weight", out _));
    }

    [Fact]
    public void The_base_is_found_from_where_it_was_written()
    {
        Rewrite(name => name);
        CopyConfig(config => config["base_model_name_or_path"] = Base);
        Assert.Equal(Base, PeftAdapter.ResolveBase(folder));
        CopyConfig(config => config["base_model_name_or_path"] = Path.GetRelativePath(Directory.GetCurrentDirectory(), Base));
        Assert.Equal(Base, PeftAdapter.ResolveBase(folder));
        CopyConfig(config => config["base_model_name_or_path"] = Path.GetRelativePath(folder, Base));
        Assert.Equal(Base, PeftAdapter.ResolveBase(folder));
        CopyConfig(config => config["base_model_name_or_path"] = "Qwen/Qwen2.5-VL-7B-Instruct");
        var error = Assert.Throws<ConfigException>(() => PeftAdapter.ResolveBase(folder));
        Assert.Contains("set model_name_or_path to its folder, or to its name on a hub", error.Message, StringComparison.Ordinal);
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    internal static float[] Logits(VisionLanguageModel model, int sample)
    {
        using var forward = new Golden(TestFiles.Golden("qwen2_5_vl_tiny/forward.safetensors"));
        var ids = Golden.Json(TestFiles.Golden("qwen2_5_vl_tiny/forward.json")).GetProperty("first4").EnumerateArray()
            .Single(s => s.GetProperty("index").GetInt32() == sample).GetProperty("input_ids").EnumerateArray().Select(v => v.GetInt64()).ToArray();
        var config = ((Qwen25VlModel)model).Config;
        var images = forward.Names.Contains($"s{sample}.image_grid_thw");
        ImageGrid[] grids = images
            ? [.. forward.Longs($"s{sample}.image_grid_thw").Chunk(3).Select(g => new ImageGrid((int)g[0], (int)g[1], (int)g[2]))]
            : [];
        var positions = new[] { new int[ids.Length], new int[ids.Length], new int[ids.Length] };
        model.Place(ids, grids, positions, 0);
        var slots = Enumerable.Range(0, ids.Length).Where(i => ids[i] == config.ImageTokenId).Select(i => (long)i).ToArray();
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        var input = new ModelInput
        {
            Ids = CreateOps.From(ids),
            Positions = positions,
            Attention = new PackedAttention(new Segments([0, ids.Length])),
            Pixels = images ? CreateOps.From(forward.Floats($"s{sample}.pixel_values"), forward.Shape($"s{sample}.pixel_values")) : null,
            Grids = grids,
            ImageSlots = images ? CreateOps.From(slots) : null,
        };
        return model.Hidden(input, model.VisionFeatures(input)).Linear(model.Head.Use()).ToArray<float>();
    }

    private static VisionLanguageModel Load(string adapter)
    {
        var model = ModelSource.Open(Base).Load(new ModelOptions());
        PeftAdapter.Attach(model, Family, adapter, trainable: false);
        return model;
    }

    private void AssertSameLogits()
    {
        using var expected = Load(Trained);
        using var model = Load(folder);
        Assert.Equal(Logits(expected, 5), Logits(model, 5));
    }

    private string AttachFails()
    {
        using var model = ModelSource.Open(Base).Load(new ModelOptions());
        var error = Assert.Throws<CheckpointException>(() => PeftAdapter.Attach(model, Family, folder, trainable: false));
        Assert.Empty(model.Ledger.AdapterParameters);
        return error.Message;
    }

    /// <summary>A copy of the trained adapter under other names; null leaves a tensor out.</summary>
    private void Rewrite(Func<string, string?> rename, IReadOnlyList<TensorSource>? more = null)
    {
        using var checkpoint = Checkpoint.OpenAdapter(Trained);
        var tensors = checkpoint.Tensors.Values.Where(entry => rename(entry.Name) is not null)
            .Select(entry => TensorSource.FromEntry(entry) with { Name = rename(entry.Name)! });
        SafetensorsWriter.Write(Path.Combine(folder, "adapter_model.safetensors"), [.. tensors, .. more ?? []]);
        CopyConfig(_ => { });
    }

    private void CopyConfig(Action<JsonObject> change)
    {
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(Trained, PeftConfig.FileName)))!.AsObject();
        change(config);
        File.WriteAllText(Path.Combine(folder, PeftConfig.FileName), config.ToJsonString());
    }
}
