using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Fovea.Files.Safetensors;
using Fovea.Tensors;

namespace Fovea.Models.Peft;

/// <summary>
/// Short hashes by which a model or adapter is known again, wherever it lies and however its weights are spread over files. A few hundred bytes of each
/// tensor are read, not the weights: an adapter that was merged, or training, changes them nearly everywhere.
/// </summary>
/// <param name="Config">Of config.json without what says nothing about the computation; empty for adapters.</param>
/// <param name="Shapes">Of names, shapes and element types.</param>
/// <param name="Weights">Of samples from each tensor.</param>
internal sealed record WeightPrint(string Config, string Shapes, string Weights)
{
    private const int Sample = 128;

    // Notes of the program that wrote the file, and places of files, which change with the folder. The element type is in the weights.
    private static readonly HashSet<string> Notes = new(StringComparer.Ordinal)
    {
        "_name_or_path", "name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache", "architectures", "auto_map",
        "_attn_implementation", "_attn_implementation_autoset", "attn_implementation", "vision_model", "weights",
    };

    /// <exception cref="CheckpointException">The weights are missing or malformed.</exception>
    public static WeightPrint OfModel(ModelSource source)
    {
        var config = new StringBuilder();
        Append(config, source.Own.Element, string.Empty);
        var text = config.ToString();
        var tied = text.Contains("tie_word_embeddings=true", StringComparison.Ordinal);
        if (source.Family.Files is { } own)
        {
            using var files = own.Open(source);
            return Of(text, files.Files.SelectMany((file, i) => file.Tensors.Values.Select(entry => ($"{i}/{entry.Name}", entry))));
        }

        using var checkpoint = Checkpoint.Open(source.Folder);
        return Of(text, checkpoint.Tensors.Values.Select(entry => (Name: source.Family.Names.ToLedger(entry.Name), entry))
            .Where(tensor => !(tied && tensor.Name == "lm_head.weight") && !tensor.Name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal)));
    }

    public static WeightPrint OfAdapter(string folder)
    {
        using var checkpoint = Checkpoint.OpenAdapter(folder);
        return Of(string.Empty, checkpoint.Tensors.Values.Select(entry => (entry.Name, entry)));
    }

    private static WeightPrint Of(string config, IEnumerable<(string Name, TensorEntry Entry)> tensors)
    {
        using var shapes = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var weights = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (name, entry) in tensors.OrderBy(tensor => tensor.Name, StringComparer.Ordinal))
        {
            shapes.AppendData(Encoding.UTF8.GetBytes(
                string.Create(CultureInfo.InvariantCulture, $"{name} {entry.DType.SafetensorsName()} {string.Join(',', entry.Shape)}\n")));
            foreach (var start in new[] { 0, entry.Bytes / 2, entry.Bytes - Sample }.Select(at => Math.Max(0, at)).Distinct())
            {
                weights.AppendData(entry.Memory.Slice(entry.Offset + start, Math.Min(Sample, entry.Bytes - start)));
            }
        }

        return new WeightPrint(
            config.Length == 0 ? string.Empty : Short(SHA256.HashData(Encoding.UTF8.GetBytes(config))),
            Short(shapes.GetHashAndReset()), Short(weights.GetHashAndReset()));
    }

    private static string Short(byte[] hash) => Convert.ToHexStringLower(hash)[..32];

    private static void Append(StringBuilder text, JsonElement value, string path)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var property in value.EnumerateObject().OrderBy(property => property.Name, StringComparer.Ordinal))
                {
                    if (!Notes.Contains(property.Name) || property.Value.ValueKind == JsonValueKind.Object)
                    {
                        Append(text, property.Value, $"{path}/{property.Name}");
                    }
                }

                break;
            case JsonValueKind.Array:
                text.Append(CultureInfo.InvariantCulture, $"{path}[{value.GetArrayLength()}]\n");
                foreach (var (index, item) in value.EnumerateArray().Index())
                {
                    Append(text, item, $"{path}/{index}");
                }

                break;
            case JsonValueKind.Number:
                text.Append(CultureInfo.InvariantCulture, $"{path}={value.GetDouble()}\n"); // 1e6, 1000000 and 1000000.0 are one
                break;
            case not JsonValueKind.Null:
                text.Append(CultureInfo.InvariantCulture, $"{path}={value.ToString().ToLowerInvariant()}\n");
                break;
        }
    }
}
