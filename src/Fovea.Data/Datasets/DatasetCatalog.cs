using System.Text.Json;
using Fovea.Data.Readers;

namespace Fovea.Data.Datasets;

/// <summary>Turns the names in a configuration into datasets: by <c>dataset_info.json</c>, or directly by path.</summary>
internal static class DatasetCatalog
{
    public const string InfoFile = "dataset_info.json";

    /// <summary>Resolves every name; all that is wrong is reported in one <see cref="ConfigException"/>.</summary>
    public static IReadOnlyList<DatasetSpec> Resolve(
        IReadOnlyList<string> names, string datasetDir, Func<HubDataset, HubRepository>? repositories = null)
    {
        var problems = new List<string>();
        var specs = new List<DatasetSpec>();
        using var info = names.All(IsPath) ? null : ReadInfo(datasetDir, problems);
        foreach (var name in names)
        {
            try
            {
                Resolve(name, datasetDir, info, specs, problems, repositories);
            }
            catch (InvalidOperationException)
            {
                var path = Path.Combine(datasetDir, InfoFile);
                problems.Add($"dataset '{name}': {path} holds text that is not valid Unicode (half a surrogate pair, or not UTF-8)");
            }
        }

        return problems.Count == 0 ? specs : throw new ConfigException(problems);
    }

    private static void Resolve(
        string name, string datasetDir, JsonDocument? info, List<DatasetSpec> specs, List<string> problems,
        Func<HubDataset, HubRepository>? repositories)
    {
        var path = Path.Combine(datasetDir, InfoFile);
        if (info is not null && info.RootElement.TryGetProperty(name, out var entry))
        {
            if (new DatasetEntry(name, entry, path, problems, repositories).Read() is { } spec)
            {
                specs.Add(spec);
            }
        }
        else if (IsPath(name))
        {
            Capture(() => specs.Add(FromPath(name, datasetDir)), problems);
        }
        else if (info is not null)
        {
            var endings = RowReaders.Endings.Replace(" and ", " or ", StringComparison.Ordinal);
            problems.Add($"dataset '{name}' is neither an entry of {path} nor a path ending in {endings}" + Suggest(name, info.RootElement));
        }
    }

    /// <summary>Whether a name that no entry has can be a path.</summary>
    internal static bool IsPath(string name) => RowReaders.Knows(name) || name.Contains('/');

    private static void Capture(Action action, List<string> problems)
    {
        try
        {
            action();
        }
        catch (ConfigException e)
        {
            problems.AddRange(e.Problems);
        }
    }

    private static JsonDocument? ReadInfo(string datasetDir, List<string> problems)
    {
        var path = Path.Combine(datasetDir, InfoFile);
        try
        {
            return JsonFile.ReadObject(path, "set dataset_dir to its folder, or give datasets by path, for instance dataset: my.json");
        }
        catch (ConfigException e)
        {
            problems.AddRange(e.Problems);
            return null;
        }
    }

    private static string Suggest(string name, JsonElement info)
    {
        var known = info.EnumerateObject().Select(p => p.Name).ToArray();
        if (known.Length == 0)
        {
            return "; the file has no entries";
        }

        var near = known.Where(k => k.Contains(name, StringComparison.OrdinalIgnoreCase) || name.Contains(k, StringComparison.OrdinalIgnoreCase)).ToArray();
        return near.Length == 0 && NearestKey.To(name, known) is { } meant ? $"; did you mean '{Brief.Of(meant)}'?"
            : "; known: " + Brief.List(near.Length > 0 ? near : known);
    }

    private static DatasetSpec FromPath(string name, string datasetDir)
    {
        var path = Path.Exists(name) ? name : Path.Combine(datasetDir, name);
        if (!Path.Exists(path))
        {
            throw new ConfigException($"dataset '{name}': neither {DatasetFiles.Full(name)} nor {DatasetFiles.Full(path)} exists");
        }

        return new DatasetSpec(name, DatasetFiles.Find(name, path), null);
    }
}
