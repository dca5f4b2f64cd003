using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Saving;

namespace Fovea.Tests.Parity.Qwen3VlMoe;

/// <summary>The golden's model with experts as Transformers 5 writes them.</summary>
internal static class Transposed
{
    public static void Write(string folder)
    {
        var from = TestFiles.Golden("qwen3_vl_moe/model");
        Directory.CreateDirectory(folder);
        ModelWriter.CopyCompanions(from, folder);
        File.Copy(TestFiles.Golden("qwen3_vl_moe/config.transformers5.json"), Families.ConfigPath(folder));
        using var scope = TensorScope.Open("test");
        using var source = Checkpoint.Open(from);
        var weights = new CheckpointSource(source);
        SafetensorsWriter.Write(
            Path.Combine(folder, "model.safetensors"),
            [.. source.Tensors.Values.Select(entry => entry.Shape.Length == 3 && entry.Name.Contains("experts", StringComparison.Ordinal)
                ? TensorBytes.Source(entry.Name, weights.Read(entry.Name, entry.Shape).Transpose().Contiguous())
                : TensorSource.FromEntry(entry))]);
    }
}
