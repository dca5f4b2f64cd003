using System.Text.Json;
using Fovea.Data.Datasets;

namespace Fovea.Data.Arrow;

/// <summary>
/// Folders that Hugging Face's datasets writes: by <c>save_to_disk</c> (with <c>state.json</c>; one folder a split for several), or as its cache.
/// </summary>
internal static class ArrowFolder
{
    private const string Splits = "dataset_dict.json";
    private const string State = "state.json";

    /// <summary>The files of its rows in their order; null where it is no such folder.</summary>
    /// <exception cref="ConfigException">It is one, and something of it is missing or not read.</exception>
    public static IReadOnlyList<string>? Files(string dataset, string folder)
    {
        if (File.Exists(Path.Combine(folder, Splits)))
        {
            using var json = JsonFile.ReadObject(Path.Combine(folder, Splits));
            var splits = Names(json.RootElement, "splits");
            return splits.Contains(HubDataset.Train) ? Files(dataset, Path.Combine(folder, HubDataset.Train))
                : throw Problem(dataset, folder, $"has no split '{HubDataset.Train}', only {Brief.List(splits)}: name the folder of one, {folder}/SPLIT");
        }

        var state = Path.Combine(folder, State);
        return File.Exists(state) ? Saved(dataset, folder, state) : Cached(dataset, folder);
    }

    private static List<string>? Saved(string dataset, string folder, string state)
    {
        using var json = JsonFile.ReadObject(state);
        if (!json.RootElement.TryGetProperty("_data_files", out _))
        {
            return null;
        }

        if (Names(json.RootElement, "_indices_files", "_indices_data_files").Count > 0)
        {
            throw Problem(
                dataset, folder, "selects its rows by a file of indices, as older versions of datasets did: load and save it again with a current one");
        }

        var files = Names(json.RootElement, "_data_files").ConvertAll(name => Path.Combine(folder, name));
        var missing = files.Where(file => !File.Exists(file)).Select(file => Path.GetFileName(file)).ToList();
        return missing.Count > 0 ? throw Problem(dataset, folder, $"lacks {Brief.List(missing)}, which its {State} names: copy or save it again")
            : files.Count > 0 ? files : throw Problem(dataset, folder, $"has no rows: its {State} names no files");
    }

    /// <summary>A folder of the cache: what datasets derived from its rows lies beside them.</summary>
    private static List<string>? Cached(string dataset, string folder)
    {
        var files = Directory.GetFiles(folder, "*.arrow").Order(StringComparer.Ordinal).ToList();
        if (files.Count == 0)
        {
            return null;
        }

        return files.Find(file => Path.GetFileName(file).StartsWith("cache-", StringComparison.Ordinal)) is { } derived
            ? throw Problem(dataset, folder, $"has {Path.GetFileName(derived)}, which datasets derived from other rows: name the file that is meant")
            : File.Exists(Path.Combine(folder, DatasetCatalog.InfoFile)) ? files : null;
    }

    private static List<string> Names(JsonElement root, params ReadOnlySpan<string> keys)
    {
        var names = new List<string>();
        foreach (var key in keys)
        {
            foreach (var item in root.TryGetProperty(key, out var list) && list.ValueKind == JsonValueKind.Array ? list.EnumerateArray() : default)
            {
                // A file's name stands in an object, a split's alone.
                var value = item.ValueKind == JsonValueKind.Object && item.TryGetProperty("filename", out var file) ? file : item;
                if (value.ValueKind == JsonValueKind.String)
                {
                    names.Add(value.GetString()!);
                }
            }
        }

        return names;
    }

    private static ConfigException Problem(string dataset, string folder, string problem) => new($"dataset '{dataset}': the folder {folder} {problem}");
}
