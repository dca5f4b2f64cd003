using System.CommandLine;
using System.Text.Json.Nodes;
using Fovea.Cli.Verbs;
using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Models.Saving;
using Fovea.Nn.Lora;

namespace Fovea.Tests.Parity.Qwen25Vl;

/// <summary>Exports of the tiny model with the adapter that the original trained: what is written loads to the merged model's logits.</summary>
public sealed class ExportTests : NativeTest
{
    private static readonly string Base = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly string Adapter = TestFiles.Golden("qwen2_5_vl_tiny/adapter_final_tokens");
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-export-").FullName;

    private string Target => Path.Combine(folder, "merged");

    [Fact]
    public void The_verb_reads_llamafactory_s_keys_and_writes_a_model_that_gives_the_original_s_logits()
    {
        var yaml = Path.Combine(folder, "merge.yaml");
        File.WriteAllText(yaml, $"""
            ### model
            model_name_or_path: {Base}
            adapter_name_or_path: {Adapter}
            template: qwen2_vl
            trust_remote_code: true

            ### export
            export_dir: {Target}
            export_size: 5
            export_device: cpu
            export_legacy_format: false
            """);
        var output = new StringWriter();
        var code = ExportVerb.Create().Parse([yaml]).Invoke(new InvocationConfiguration { Output = output, EnableDefaultExceptionHandler = false });
        Assert.Equal(0, code);
        Assert.Contains($"merged {Adapter}: rank 8 on 28 linear layers", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("100 % of ", output.ToString(), StringComparison.Ordinal);

        using var golden = new Golden(TestFiles.Golden("qwen2_5_vl_tiny/train_tokens.safetensors"));
        Golden.Near("final_logits.s0", golden.Floats("final_logits.s0"), LogitsOf(Target), 1e-4);
        Assert.Equal(MergedLogits(), LogitsOf(Target));

        using var source = Checkpoint.Open(Base);
        using var written = Checkpoint.Open(Target);
        Assert.Equal(source.Tensors.Keys, written.Tensors.Keys);
        Assert.Equal("pt", written.Metadata["format"]);
        foreach (var name in Directory.GetFiles(Base, "*.json").Select(path => Path.GetFileName(path)!))
        {
            Assert.Equal(File.ReadAllBytes(Path.Combine(Base, name)), File.ReadAllBytes(Path.Combine(Target, name)));
        }

        Assert.Equal(8, Directory.GetFiles(Target).Length);
    }

    [Fact]
    public void Small_files_are_shards_with_an_index_and_load_to_the_same()
    {
        Export(e => e with { MaxShardBytes = 3_000_000 });
        var shards = Directory.GetFiles(Target, "model-*-of-*.safetensors");
        Assert.InRange(shards.Length, 4, 20);
        Assert.All(shards, shard => Assert.InRange(new FileInfo(shard).Length, 1, 3_050_000));
        var index = JsonNode.Parse(File.ReadAllText(Path.Combine(Target, "model.safetensors.index.json")))!;
        Assert.Equal(105, index["weight_map"]!.AsObject().Count);
        Assert.Equal(MergedLogits(), LogitsOf(Target));
    }

    [Fact]
    public void Another_element_type_is_written_and_said_in_the_configuration()
    {
        Export(e => e with { DType = DType.BF16 });
        using (var written = Checkpoint.Open(Target))
        {
            Assert.All(written.Tensors.Values, entry => Assert.Equal(DType.BF16, entry.DType));
        }

        var before = JsonNode.Parse(File.ReadAllText(Path.Combine(Base, "config.json")))!.AsObject();
        var after = JsonNode.Parse(File.ReadAllText(Path.Combine(Target, "config.json")))!.AsObject();
        Assert.Equal("bfloat16", after["torch_dtype"]!.GetValue<string>());
        after["torch_dtype"] = "float32";
        Assert.True(JsonNode.DeepEquals(before, after));
        Golden.Near("bf16", MergedLogits(), LogitsOf(Target), 0.1);
    }

    [Fact]
    public void Adapters_are_merged_one_after_the_other()
    {
        Export(e => e with { Adapters = [Adapter, Adapter] });
        using var model = ModelSource.Open(Base).Load(new ModelOptions());
        for (var i = 0; i < 2; i++)
        {
            PeftAdapter.Attach(model, Families.All[0], Adapter, trainable: false);
            Adapters.Merge(model.Ledger);
        }

        var twice = AdapterTests.Logits(model, 0);
        Assert.Equal(twice, LogitsOf(Target));
        Assert.NotEqual(MergedLogits(), twice);
    }

    [Fact]
    public void A_tied_head_that_was_saved_all_the_same_is_not_written_again()
    {
        var tied = Path.Combine(folder, "tied");
        Directory.CreateDirectory(tied);
        File.Copy(Path.Combine(Base, "model.safetensors"), Path.Combine(tied, "model.safetensors"));
        var config = File.ReadAllText(Path.Combine(Base, "config.json"));
        const string tie = "\"tie_word_embeddings\": ";
        File.WriteAllText(Path.Combine(tied, "config.json"), config.Replace($"{tie}false", $"{tie}true", StringComparison.Ordinal));
        Export(e => e with { Model = tied });
        using var written = Checkpoint.Open(Target);
        Assert.Equal(104, written.Tensors.Count);
        Assert.False(written.TryGet("lm_head.weight", out _));
    }

    [Fact]
    public void An_earlier_export_is_replaced_and_other_folders_are_refused()
    {
        Export(e => e with { MaxShardBytes = 3_000_000 });
        Export(e => e);
        Assert.Empty(Directory.GetFiles(Target, "model-*"));
        Assert.Equal(["merged"], Directory.GetFileSystemEntries(folder).Select(Path.GetFileName));

        File.WriteAllText(Path.Combine(Target, "notes.txt"), "mine");
        var error = Assert.Throws<ConfigException>(() => Export(e => e));
        Assert.Contains("holds what is no earlier export (notes.txt)", error.Message, StringComparison.Ordinal);
        Export(e => e with { Force = true });
        Assert.Equal("mine", File.ReadAllText(Path.Combine(Target, "notes.txt")));

        error = Assert.Throws<ConfigException>(() => Export(e => e with { Target = Base, Force = true }));
        Assert.Contains("is the base model itself", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Everything_wrong_is_said_at_once_before_anything_is_loaded()
    {
        var error = Assert.Throws<ConfigException>(() => Export(e => e with { Model = folder, Adapters = [Base], Target = Base }));
        Assert.Equal(3, error.Problems.Count);
        Assert.Contains("model_name_or_path: ", error.Problems[0], StringComparison.Ordinal);
        Assert.Contains("is not an adapter folder", error.Problems[1], StringComparison.Ordinal);
        Assert.Contains("is not empty", error.Problems[2], StringComparison.Ordinal);
        var plain = new InvocationConfiguration { EnableDefaultExceptionHandler = false };
        Assert.Equal(2, Assert.Throws<ConfigException>(() => ExportVerb.Create().Parse([]).Invoke(plain)).Problems.Count);
    }

    [Fact]
    public void The_base_that_the_adapter_names_is_found_and_options_go_before_keys()
    {
        var copy = Path.Combine(folder, "adapter");
        Directory.CreateDirectory(copy);
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(Adapter, PeftConfig.FileName)))!.AsObject();
        config["base_model_name_or_path"] = Base;
        File.WriteAllText(Path.Combine(copy, PeftConfig.FileName), config.ToJsonString());
        string[] keys = ["export_dir=elsewhere", "export_size=2", "infer_dtype=bfloat16"];
        var settings = Training.Config.TrainConfig.Parse("{}", "test", keys, Training.Config.ConfigUse.Any);
        var plan = ExportVerb.Plan(settings, null, [copy], Target, force: true);
        var export = plan.Export();
        Assert.Equal(
            new ModelExport { Model = Base, Adapters = export.Adapters, Target = Target, MaxShardBytes = 2_000_000_000, DType = DType.BF16, Force = true },
            export);
        Assert.Equal([copy], export.Adapters);
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    private static float[] LogitsOf(string path)
    {
        using var model = ModelSource.Open(path).Load(new ModelOptions());
        return AdapterTests.Logits(model, 0);
    }

    private static float[] MergedLogits()
    {
        using var model = ModelSource.Open(Base).Load(new ModelOptions());
        PeftAdapter.Attach(model, Families.All[0], Adapter, trainable: false);
        Adapters.Merge(model.Ledger);
        return AdapterTests.Logits(model, 0);
    }

    private void Export(Func<ModelExport, ModelExport> change) =>
        change(new ModelExport { Model = Base, Adapters = [Adapter], Target = Target }).Run(_ => { });
}
