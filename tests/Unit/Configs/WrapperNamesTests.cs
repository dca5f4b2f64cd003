using System.Runtime.InteropServices;
using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Saving;
using Fovea.Tests.Parity.MiniMindV;

namespace Fovea.Tests.Unit.Configs;

/// <summary>Weights that were saved from a model inside a wrapper are read as if it had not been there, and one sentence says so.</summary>
public sealed class WrapperNamesTests : NativeTest
{
    private static readonly string Model = TestFiles.Golden("qwen2_5_vl_tiny/model");

    public static TheoryData<string, string> Wrappers => new()
    {
        { "_orig_mod.{0}", "_orig_mod. (put there by torch.compile)" },
        { "module.{0}", "module. (put there by DataParallel, DistributedDataParallel or DeepSpeed)" },
        { "module._orig_mod.{0}", "_orig_mod. (put there by torch.compile) and module. (put there by DataParallel, DistributedDataParallel or DeepSpeed)" },
        { "base_model.model.{0}", "base_model.model. (put there by PEFT)" },
    };

    [Theory]
    [MemberData(nameof(Wrappers))]
    public void A_wrapper_s_names_are_taken_away_and_told(string pattern, string told)
    {
        using var folder = Renamed(name => string.Format(System.Globalization.CultureInfo.InvariantCulture, pattern, name));
        using var plain = ModelSource.Open(Model).Load(new ModelOptions());
        using var model = ModelSource.Open(folder.Path).Load(new ModelOptions());
        Assert.Equal([$"{folder.Path}: its names are read without {told}"], model.Notices);
        Assert.Empty(plain.Notices);
        AssertSame(plain, model);
    }

    [Fact]
    public void Layers_that_were_compiled_one_by_one_are_read_too_and_exported_under_their_plain_names()
    {
        using var folder = Renamed(name => name.Replace("model.layers.1.", "model.layers.1._orig_mod.", StringComparison.Ordinal));
        using var plain = ModelSource.Open(Model).Load(new ModelOptions());
        using var model = ModelSource.Open(folder.Path).Load(new ModelOptions());
        AssertSame(plain, model);
        using var target = new ConfigFolder("qwen2_5_vl_configs/3b");
        Directory.Delete(target.Path, recursive: true);
        ModelWriter.Save(model, ModelSource.Open(folder.Path).Family, folder.Path, target.Path);
        using var written = Checkpoint.Open(target.Path);
        using var original = Checkpoint.Open(Model);
        Assert.Equal(original.Tensors.Keys.Order(), written.Tensors.Keys.Order());
    }

    [Fact]
    public void Weights_with_adapters_among_them_are_refused_with_what_to_do()
    {
        using var folder = Renamed(name => $"base_model.model.{name}".Replace("q_proj.", "q_proj.base_layer.", StringComparison.Ordinal));
        var error = Assert.Throws<CheckpointException>(() => ModelSource.Open(folder.Path).Load(new ModelOptions()));
        Assert.Contains("q_proj.base_layer.", error.Message);
        Assert.Contains("merge_and_unload", error.Message);
    }

    [Fact]
    public void A_prefix_that_nobody_knows_is_shown_beside_what_is_missing()
    {
        using var folder = Renamed(name => $"student.{name}");
        var error = Assert.Throws<CheckpointException>(() => ModelSource.Open(folder.Path).Load(new ModelOptions()));
        Assert.Contains("nearest in the files: student.visual.patch_embed.proj.weight for visual.patch_embed.proj.weight", error.Message);
    }

    [Theory]
    [InlineData("_orig_mod.")]
    [InlineData("module.")]
    public void MiniMind_s_own_files_are_read_so_too(string prefix)
    {
        using var folder = new MiniMindFolder("c", "dense");
        using var plain = folder.Load();
        var file = Path.Combine(folder.Path, "wrapped.safetensors");
        Write(folder.Weights, file, name => prefix + name);
        File.WriteAllText(
            Families.ConfigPath(folder.Path), File.ReadAllText(Families.ConfigPath(folder.Path)).Replace(folder.Weights, file, StringComparison.Ordinal));
        using var model = folder.Load();
        Assert.Contains(model.Notices, notice => notice.StartsWith($"{file}: its names are read without {prefix} (put there by", StringComparison.Ordinal));
        AssertSame(plain, model);
    }

    [Fact]
    public void MiniMind_s_own_file_under_other_names_shows_them_beside_what_is_missing()
    {
        using var folder = new MiniMindFolder("c", "dense");
        var file = Path.Combine(folder.Path, "other.safetensors");
        Write(folder.Weights, file, name => $"student.{name}");
        File.WriteAllText(
            Families.ConfigPath(folder.Path), File.ReadAllText(Families.ConfigPath(folder.Path)).Replace(folder.Weights, file, StringComparison.Ordinal));
        var error = Assert.Throws<CheckpointException>(() => folder.Load());
        Assert.Contains("nearest in the files: student.model.embed_tokens.weight for model.embed_tokens.weight", error.Message);
        Assert.Contains("names in the files that nothing asks for: student.", error.Message);
    }

    private static ConfigFolder Renamed(Func<string, string> rename)
    {
        var folder = new ConfigFolder("qwen2_5_vl_tiny/model");
        var file = Path.Combine(folder.Path, "model.safetensors");
        File.Delete(file);
        Write(Model, file, rename);
        return folder;
    }

    private static void Write(string source, string target, Func<string, string> rename)
    {
        using var checkpoint = Checkpoint.Open(source);
        SafetensorsWriter.Write(target, [.. checkpoint.Tensors.Values.Select(entry => TensorSource.FromEntry(entry) with { Name = rename(entry.Name) })]);
    }

    private static void AssertSame(VisionLanguageModel a, VisionLanguageModel b)
    {
        using var scope = TensorScope.Open("test");
        Assert.Equal(a.Ledger.Parameters.Select(p => p.Name), b.Ledger.Parameters.Select(p => p.Name));
        Assert.All(a.Ledger.Parameters, p => Assert.True(
            MemoryMarshal.AsBytes<float>(p.Value.To(DType.F32).ToArray<float>())
                .SequenceEqual(MemoryMarshal.AsBytes<float>(b.Ledger[p.Name].Value.To(DType.F32).ToArray<float>())), p.Name));
    }
}
