using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Fovea.Files.Safetensors;

/// <summary>
/// Writes a model folder as Hugging Face's <c>save_pretrained</c> lays it out: <c>model.safetensors</c>, or
/// <c>model-00001-of-0000N.safetensors</c> and <c>model.safetensors.index.json</c> where one file would be larger than a shard.
/// </summary>
internal static partial class ShardedWriter
{
    /// <summary>"5GB" as Hugging Face counts it.</summary>
    public const long DefaultShardBytes = 5_000_000_000;

    /// <summary>
    /// Writes all tensors in the order given; a tensor that does not fit into the current shard opens the next one. The new files get
    /// their names only when all are on disk, and an earlier model's other shards are removed afterwards. Returns the paths written.
    /// </summary>
    /// <exception cref="CheckpointException">As <see cref="SafetensorsWriter.Write"/>.</exception>
    public static IReadOnlyList<string> Write(
        string folder,
        IReadOnlyList<TensorSource> tensors,
        long maxShardBytes = DefaultShardBytes,
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxShardBytes);
        RefuseRepeatedNames(folder, tensors);
        var shards = Split(tensors, maxShardBytes);
        var names = shards.Count == 1
            ? ["model.safetensors"]
            : Enumerable.Range(1, shards.Count).Select(i => $"model-{i:00000}-of-{shards.Count:00000}.safetensors").ToArray();
        var indexPath = Path.Combine(folder, "model.safetensors.index.json");
        var files = new List<AtomicFile>();
        try
        {
            for (var i = 0; i < shards.Count; i++)
            {
                files.Add(SafetensorsWriter.Prepare(Path.Combine(folder, names[i]), shards[i], metadata));
            }

            // An index must never speak of half-replaced shards, so the old one goes first and the new one comes last.
            File.Delete(indexPath);
            files.ForEach(file => file.Commit());
        }
        finally
        {
            files.ForEach(file => file.Dispose());
        }

        var paths = names.Select(name => Path.Combine(folder, name)).ToList();
        if (shards.Count > 1)
        {
            AtomicFile.Write(indexPath, stream => WriteIndex(stream, shards, names));
            paths.Add(indexPath);
        }

        RemoveOthers(folder, names);
        return paths;
    }

    /// <summary>A shard is closed by the first tensor that would take it above the limit; a tensor above the limit gets a shard of its own.</summary>
    internal static List<List<TensorSource>> Split(IReadOnlyList<TensorSource> tensors, long maxShardBytes)
    {
        var shards = new List<List<TensorSource>>();
        var current = new List<TensorSource>();
        var size = 0L;
        foreach (var tensor in tensors)
        {
            var bytes = tensor.Bytes;
            if (bytes > maxShardBytes)
            {
                shards.Add([tensor]);
                continue;
            }

            if (size + bytes > maxShardBytes)
            {
                shards.Add(current);
                current = [];
                size = 0;
            }

            current.Add(tensor);
            size += bytes;
        }

        if (current.Count > 0 || shards.Count == 0)
        {
            shards.Add(current);
        }

        return shards;
    }

    private static void WriteIndex(Stream stream, List<List<TensorSource>> shards, string[] names)
    {
        var map = new SortedDictionary<string, string>(StringComparer.Ordinal);
        long bytes = 0, parameters = 0;
        for (var i = 0; i < shards.Count; i++)
        {
            foreach (var tensor in shards[i])
            {
                map.Add(tensor.Name, names[i]);
                bytes += tensor.Bytes;
                parameters += tensor.Count;
            }
        }

        var options = new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(stream, options))
        {
            json.WriteStartObject();
            json.WriteStartObject("metadata");
            json.WriteNumber("total_parameters", parameters);
            json.WriteNumber("total_size", bytes);
            json.WriteEndObject();
            json.WriteStartObject("weight_map");
            foreach (var (tensor, file) in map)
            {
                json.WriteString(tensor, file);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
    }

    private static void RefuseRepeatedNames(string folder, IReadOnlyList<TensorSource> tensors)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var tensor in tensors)
        {
            if (!names.Add(tensor.Name))
            {
                throw FileProblem.InTensor(folder, tensor.Name, "is to be written twice under this name");
            }
        }
    }

    private static void RemoveOthers(string folder, string[] written)
    {
        foreach (var path in Directory.EnumerateFiles(folder, "model*.safetensors"))
        {
            var name = Path.GetFileName(path);
            if (!written.Contains(name) && OfAModel().IsMatch(name))
            {
                File.Delete(path);
            }
        }
    }

    [GeneratedRegex(@"^model(-\d{5}-of-\d{5})?\.safetensors$", RegexOptions.CultureInvariant)]
    private static partial Regex OfAModel();
}
