using System.Text.Json;

namespace Fovea.Files.Safetensors;

/// <summary>Finds the files of a checkpoint and checks a shard index against its shards.</summary>
internal static class CheckpointFinder
{
    private const string IndexEnding = ".index.json";

    public static readonly string[] AdapterFiles = ["adapter_model.safetensors", "adapter_model.bin"];

    public static readonly string[] ModelFiles =
        ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json", .. AdapterFiles];

    public static Checkpoint Open(string path, string[] candidates)
    {
        var file = Directory.Exists(path) ? InFolder(path, candidates) : path;
        var parts = new CheckpointParts();
        try
        {
            if (file.EndsWith(IndexEnding, StringComparison.Ordinal))
            {
                LoadShards(parts, file);
            }
            else
            {
                foreach (var entry in parts.Load(file))
                {
                    parts.Tensors.Add(entry.Name, entry);
                }
            }

            return new Checkpoint(path, parts);
        }
        catch
        {
            parts.Dispose();
            throw;
        }
    }

    private static string InFolder(string folder, string[] candidates)
    {
        foreach (var name in candidates)
        {
            var path = Path.Combine(folder, name);
            if (File.Exists(path))
            {
                return path;
            }
        }

        var others = Directory.EnumerateFiles(folder).Select(path => Path.GetFileName(path)!)
            .Where(name => Path.GetExtension(name) is ".safetensors" or ".bin" or ".pth" or ".pt").Order(StringComparer.Ordinal).ToArray();
        var hint = others.Length == 0 ? string.Empty : $"; there is {Few(others)}: give the path of the file itself if it holds the weights";
        throw FileProblem.In(folder, $"holds no weights; looked for {string.Join(", ", candidates)}{hint}");
    }

    private static void LoadShards(CheckpointParts parts, string indexPath)
    {
        var folder = Path.GetDirectoryName(indexPath)!;
        var map = ReadWeightMap(indexPath);
        var shards = map.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        var missing = shards.Where(shard => !File.Exists(Path.Combine(folder, shard))).ToArray();
        if (missing.Length > 0)
        {
            throw FileProblem.In(indexPath, $"{missing.Length} of the {shards.Length} files it names are missing: {Few(missing)}; "
                + "copy or download them");
        }

        var strays = new List<string>();
        var elsewhere = new List<string>();
        foreach (var shard in shards)
        {
            foreach (var entry in parts.Load(Path.Combine(folder, shard)))
            {
                if (map.TryGetValue(entry.Name, out var home) && home != shard)
                {
                    elsewhere.Add($"'{entry.Name}' in {shard}");
                    continue;
                }

                if (home is null)
                {
                    strays.Add($"'{entry.Name}' in {shard}");
                }

                if (!parts.Tensors.TryAdd(entry.Name, entry))
                {
                    throw FileProblem.InTensor(indexPath, entry.Name, "is not in the weight_map, and in two files: "
                        + $"{parts.Tensors[entry.Name].File} and {entry.File}");
                }
            }
        }

        Note(parts, indexPath, strays, "not in the weight_map; they are used");
        Note(parts, indexPath, elsewhere, "placed in another file by the weight_map; these copies are ignored");
        var absent = map.Where(pair => !parts.Tensors.ContainsKey(pair.Key)).Select(pair => $"'{pair.Key}' in {pair.Value}").ToArray();
        if (absent.Length > 0)
        {
            throw FileProblem.In(indexPath, $"{absent.Length} tensors are not in the files where the weight_map places them: {Few(absent)}");
        }
    }

    private static void Note(CheckpointParts parts, string indexPath, List<string> tensors, string what)
    {
        if (tensors.Count > 0)
        {
            parts.Notices.Add($"{indexPath}: {tensors.Count} tensors are {what}: {Few(tensors)}");
        }
    }

    private static string Few(IReadOnlyCollection<string> items) => string.Join(", ", items.Take(5)) + (items.Count > 5 ? ", ..." : string.Empty);

    private static Dictionary<string, string> ReadWeightMap(string path)
    {
        try
        {
            using var json = JsonFile.Read(path);
            var root = json.RootElement;
            if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("weight_map", out var map) || map.ValueKind != JsonValueKind.Object)
            {
                throw FileProblem.In(path, "has no weight_map object");
            }

            var result = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var pair in map.EnumerateObject())
            {
                if (pair.Value.ValueKind != JsonValueKind.String || !IsPlainName(pair.Value.GetString()!))
                {
                    throw FileProblem.InTensor(path, pair.Name, $"the weight_map gives {JsonText.Show(pair.Value)}, "
                        + "expected the name of a file beside the index");
                }

                result.Add(pair.Name, pair.Value.GetString()!);
            }

            return result;
        }
        catch (ConfigException e)
        {
            throw new CheckpointException(e.Message, e);
        }
    }

    private static bool IsPlainName(string name) => name.Length > 0 && name is not ("." or "..") && !name.Contains('/') && !name.Contains('\0');
}
