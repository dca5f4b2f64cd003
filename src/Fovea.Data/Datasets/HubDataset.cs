using System.Text.RegularExpressions;
using Fovea.Data.Readers;

namespace Fovea.Data.Datasets;

/// <summary>A dataset of a hub, as an entry of <c>dataset_info.json</c> names it: which of the repository's files hold its rows.</summary>
internal sealed partial record HubDataset(string? HuggingFace, string? ModelScope)
{
    /// <summary>The split that is meant where none is named.</summary>
    public const string Train = "train";

    private static readonly string[] Splits = ["train", "training", "test", "testing", "eval", "evaluation", "validation", "valid", "val", "dev"];

    /// <summary>One of several datasets in the repository.</summary>
    public string? Subset { get; init; }

    /// <summary>The folder of the repository that the rows are in.</summary>
    public string? Folder { get; init; }

    /// <summary>Null is <c>train</c>.</summary>
    public string? Split { get; init; }

    private string Id => HuggingFace ?? ModelScope!;

    /// <summary>The files in reading order, fetched.</summary>
    /// <exception cref="ConfigException">They cannot be had, or none belongs to what is asked for.</exception>
    public IReadOnlyList<string> Files(Func<HubDataset, HubRepository>? repositories)
    {
        if (repositories is null)
        {
            throw new ConfigException($"{Id} is on a hub, and nothing is fetched here");
        }

        var repository = repositories(this);
        if (repository.Files is { } named)
        {
            var known = named.Where(RowReaders.Knows).ToList();
            return known.Count > 0 ? [.. known.Select(file => Path.Combine(repository.Folder, file))]
                : throw new ConfigException($"the card of {Id} names no file of rows ({RowReaders.Endings})");
        }

        var folder = Folder ?? repository.Within;
        var place = folder is null ? repository.Folder : Path.Combine(repository.Folder, folder.Trim('/'));
        var all = Directory.Exists(place)
            ? Directory.EnumerateFiles(place, "*", SearchOption.AllDirectories).Where(RowReaders.Knows).Select(file => Path.GetRelativePath(place, file))
                .Where(file => !IsDescription(file)).Order(StringComparer.Ordinal).ToList()
            : [];
        if (all.Count == 0)
        {
            throw new ConfigException($"{Id}{(folder is null ? string.Empty : $"/{folder}")} has no file of rows ({RowReaders.Endings})");
        }

        var files = repository.Within is null ? OfSubset(all) : all;
        var split = Split ?? Train;
        var says = files.Any(file => SplitOf(file) is not null);
        var chosen = says ? [.. files.Where(file => IsSame(SplitOf(file) ?? Train, split))] : split == Train ? files : [];
        return chosen.Count > 0 ? [.. chosen.Select(file => Path.Combine(place, file))]
            : throw new ConfigException($"no file of {Id} is of the split '{split}'; there are {Brief.List([.. files])}");
    }

    /// <summary>The split that a file's name or folder says: <c>train-00000-of-00001.parquet</c>, <c>test/x.jsonl</c>; null where none does.</summary>
    internal static string? SplitOf(string file) =>
        Word().Matches(file.ToLowerInvariant()).Select(match => match.Value).LastOrDefault(word => Splits.Contains(word));

    private static bool IsSame(string a, string b) => a == b || Family(a) == Family(b);

    private static string Family(string split) => split switch
    {
        "train" or "training" => "train",
        "test" or "testing" or "eval" or "evaluation" => "test",
        "validation" or "valid" or "val" or "dev" => "validation",
        _ => split,
    };

    private static bool IsDescription(string file) =>
        Path.GetFileName(file) is "dataset_info.json" or "dataset_infos.json" or "state.json" or "configuration.json";

    private List<string> OfSubset(List<string> all)
    {
        if (Subset is null or "default")
        {
            return all;
        }

        var inFolder = all.Where(file => file.Split('/').SkipLast(1).Contains(Subset)).ToList();
        var named = inFolder.Count > 0 ? inFolder : all.Where(file => Path.GetFileName(file).Contains(Subset, StringComparison.Ordinal)).ToList();
        return named.Count > 0 ? named
            : throw new ConfigException($"no file of {Id} is named after the subset '{Subset}'; there are {Brief.List([.. all])}");
    }

    [GeneratedRegex("[a-z]+", RegexOptions.CultureInvariant)]
    private static partial Regex Word();
}
