using System.Text.Json.Nodes;
using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Models.Saving;

namespace Fovea.Tests.Unit.Peft;

/// <summary>An adapter is known to belong to the model that it was trained on, wherever both lie, and to no other of the same shapes.</summary>
public sealed class AdapterBaseTests : NativeTest
{
    private static readonly string Model = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly string Trained = TestFiles.Golden("qwen2_5_vl_tiny/adapter_final_tokens");
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-base-").FullName;

    [Fact]
    public void A_model_is_the_same_where_it_lies_elsewhere_in_other_files_or_with_other_notes_in_its_config()
    {
        var known = AdapterBase.Of(ModelSource.Open(Model), []);
        Same(Copy("moved"));
        var sharded = Path.Combine(folder, "sharded");
        new ModelExport { Model = Model, Target = sharded, MaxShardBytes = 3_000_000 }.Run(_ => { });
        Same(sharded);
        Same(Copy("renamed", config =>
        {
            config["_name_or_path"] = "/elsewhere";
            config["transformers_version"] = "9.9.9";
            config["use_cache"] = false;
            config["rope_theta"] = 1000000; // written 1000000.0 in the original
        }));

        void Same(string other)
        {
            var found = AdapterBase.Of(ModelSource.Open(other), []);
            Assert.Equal((known.Config, known.Shapes, known.Weights), (found.Config, found.Shapes, found.Weights));
        }
    }

    [Theory]
    [InlineData("merged", "its weights are others of the same shapes")]
    [InlineData("fp16", "its weights have other names, shapes or types")]
    [InlineData("config", "its config.json differs in what it computes")]
    public void On_another_model_a_found_adapter_is_refused_and_a_named_one_used_with_one_sentence(string how, string difference)
    {
        var adapter = AdapterOf(Model);
        var other = Path.Combine(folder, how);
        switch (how)
        {
            case "config":
                Copy(how, config => config["rms_norm_eps"] = 1e-5);
                break;
            case "fp16":
                new ModelExport { Model = Model, Target = other, DType = DType.F16 }.Run(_ => { });
                break;
            default:
                new ModelExport { Model = Model, Adapters = [Trained], Target = other }.Run(_ => { });
                File.Delete(Path.Combine(other, ExportFolder.NoteName)); // as a copy of the model files alone
                break;
        }

        Assert.Empty(AdapterBase.Check(ModelSource.Open(Model), [adapter], adapter, "do"));
        var error = Assert.Throws<ConfigException>(() => AdapterBase.Check(ModelSource.Open(other), [adapter], adapter, "give the right one"));
        Assert.StartsWith($"{adapter} was trained on model, and {other} is another model: {difference}", error.Message, StringComparison.Ordinal);
        Assert.EndsWith("; give the right one", error.Message, StringComparison.Ordinal);
        var notice = Assert.Single(AdapterBase.Check(ModelSource.Open(other), [adapter], null, string.Empty));
        Assert.Contains(difference, notice, StringComparison.Ordinal);
        Assert.EndsWith("; the adapter is used all the same, since it was named", notice, StringComparison.Ordinal);
    }

    [Fact]
    public void An_adapter_that_an_export_merged_is_not_applied_again_even_when_named()
    {
        var merged = Path.Combine(folder, "merged");
        new ModelExport { Model = Model, Adapters = [Trained], Target = merged }.Run(_ => { });
        var copy = Path.Combine(folder, "copy");
        CopyFiles(Trained, copy);
        foreach (var adapter in new[] { Trained, copy })
        {
            var export = new ModelExport { Model = merged, Adapters = [adapter], Target = Path.Combine(folder, "twice") };
            var error = Assert.Throws<ConfigException>(() => export.Run(_ => { }));
            Assert.Contains("would be applied twice", error.Message, StringComparison.Ordinal);
        }

        // Exported once more, the model still holds it.
        var again = Path.Combine(folder, "again");
        new ModelExport { Model = merged, Target = again }.Run(_ => { });
        Assert.Throws<ConfigException>(() => AdapterBase.Check(ModelSource.Open(again), [Trained], null, string.Empty));
    }

    [Fact]
    public void An_adapter_over_another_adapter_wants_it_below()
    {
        var first = AdapterOf(Model, "first");
        var second = AdapterOf(Model, "second");
        AdapterBase.Of(ModelSource.Open(Model), [first]).Write(second);
        Assert.Empty(AdapterBase.Check(ModelSource.Open(Model), [first, second], second, string.Empty));
        var error = Assert.Throws<ConfigException>(() => AdapterBase.Check(ModelSource.Open(Model), [second], second, string.Empty));
        AdapterBase.Of(ModelSource.Open(Model), [first, first]).Write(second);
        var notice = Assert.Single(AdapterBase.Check(ModelSource.Open(Model), [first, second], null, string.Empty));
        Assert.Contains("with 2 other adapters below it, and is put on it here with one other adapter (", notice, StringComparison.Ordinal);
        const string told = "was trained on model with one other adapter below it, and is put on it here with no other adapter (adapter_name";
        Assert.Contains(told, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_adapter_of_another_program_is_told_of_once_and_only_where_it_names_another_base()
    {
        Assert.Empty(AdapterBase.Check(ModelSource.Open(Model), [Trained], null, string.Empty)); // names "model"
        var elsewhere = Path.Combine(folder, "elsewhere");
        CopyFiles(Trained, elsewhere);
        var path = Path.Combine(elsewhere, PeftConfig.FileName);
        File.WriteAllText(path, File.ReadAllText(path).Replace("\"model\"", "\"Qwen/Qwen2.5-VL-3B-Instruct\"", StringComparison.Ordinal));
        var notice = Assert.Single(AdapterBase.Check(ModelSource.Open(Model), [elsewhere], elsewhere, string.Empty));
        Assert.Contains("names the base Qwen/Qwen2.5-VL-3B-Instruct", notice, StringComparison.Ordinal);
        foreach (var damaged in new[] { "", "null", "[]", "{\"name\": 3}", "{}" })
        {
            File.WriteAllText(Path.Combine(elsewhere, AdapterBase.FileName), damaged);
            Assert.Single(AdapterBase.Check(ModelSource.Open(Model), [elsewhere], elsewhere, string.Empty));
        }
    }

    [Fact]
    public void A_folder_without_an_adapter_is_described_with_what_may_have_been_meant()
    {
        var out_ = Directory.CreateDirectory(Path.Combine(folder, "out")).FullName;
        Contains("it does not exist", Path.Combine(folder, "nothing", "here"));
        Contains("it is empty", out_);
        File.WriteAllText(Path.Combine(out_, "running_log.txt"), "x");
        Contains("it holds running_log.txt", out_);
        Contains("it is a file", Path.Combine(out_, "running_log.txt"));
        Contains("it is a whole model", Model);
        foreach (var step in new[] { 8, 20, 100 })
        {
            CopyFiles(Trained, Path.Combine(out_, $"checkpoint-{step}"));
        }

        Contains($"but holds the adapters {out_}/checkpoint-100, {out_}/checkpoint-20, {out_}/checkpoint-8: name one", out_);
        Contains($"beside it lie the adapters {out_}/checkpoint-20, ", Path.Combine(out_, "checkpoint-25"));

        static void Contains(string expected, string place)
        {
            var text = AdapterFolder.Problem(place);
            Assert.StartsWith($"{place} is not an adapter folder (no adapter_config.json): ", text, StringComparison.Ordinal);
            Assert.Contains(expected, text, StringComparison.Ordinal);
        }
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    private static void CopyFiles(string source, string target)
    {
        Directory.CreateDirectory(target);
        foreach (var file in Directory.GetFiles(source))
        {
            File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
        }
    }

    private string Copy(string name, Action<JsonObject>? change = null)
    {
        var copy = Path.Combine(folder, name);
        CopyFiles(Model, copy);
        var config = JsonNode.Parse(File.ReadAllText(Families.ConfigPath(copy)))!.AsObject();
        change?.Invoke(config);
        File.WriteAllText(Families.ConfigPath(copy), config.ToJsonString());
        return copy;
    }

    private string AdapterOf(string model, string name = "adapter")
    {
        var adapter = Path.Combine(folder, name);
        CopyFiles(Trained, adapter);
        if (name != "adapter")
        {
            using var checkpoint = Checkpoint.OpenAdapter(Trained);
            using var scope = TensorScope.Open("test");
            var tensors = checkpoint.Tensors.Values.Select(TensorSource.FromEntry).ToList();
            var random = TensorBytes.Source(tensors[0].Name, CreateOps.Empty(checkpoint.Tensors[tensors[0].Name].Shape, DType.F32).Normal_(0, 1));
            File.Delete(Path.Combine(adapter, "adapter_model.safetensors"));
            SafetensorsWriter.Write(Path.Combine(adapter, "adapter_model.safetensors"), [random, .. tensors.Skip(1)]);
        }

        AdapterBase.Of(ModelSource.Open(model), []).Write(adapter);
        return adapter;
    }
}
