namespace Fovea.Models.Peft;

/// <summary>What lies where an adapter was looked for.</summary>
internal static class AdapterFolder
{
    private const int Shown = 5;

    /// <summary>Folders of adapters in a folder, those whose names are most like a wanted one first; without one, the largest number first.</summary>
    public static IReadOnlyList<string> In(string folder, string wanted = "") => !Directory.Exists(folder) ? []
        : [.. Directory.EnumerateDirectories(folder)
            .Where(PeftAdapter.IsAdapter)
            .OrderByDescending(path => wanted.Zip(Path.GetFileName(path)).TakeWhile(pair => pair.First == pair.Second).Count())
            .ThenByDescending(path => Path.GetFileName(path).Length)
            .ThenByDescending(path => path, StringComparer.Ordinal)];

    /// <summary>Why a folder is no adapter, and what may have been meant.</summary>
    public static string Problem(string folder)
    {
        var place = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        string reason;
        if (File.Exists(place))
        {
            reason = "it is a file";
        }
        else if (!Directory.Exists(place))
        {
            reason = In(Path.GetDirectoryName(place) ?? place, Path.GetFileName(place)) is { Count: > 0 } beside
                ? $"it does not exist; beside it lie the adapters {Few(beside)}"
                : "it does not exist";
            reason += folder.Contains(',', StringComparison.Ordinal) ? "; several are given as --adapter FIRST --adapter SECOND" : string.Empty;
        }
        else if (In(place) is { Count: > 0 } inside)
        {
            reason = $"but holds the adapters {Few(inside)}: name one of them";
        }
        else if (File.Exists(Families.ConfigPath(place)))
        {
            reason = "it is a whole model: give it as the model (--model, model_name_or_path)";
        }
        else
        {
            var names = Directory.EnumerateFileSystemEntries(place).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal).ToList();
            reason = names.Count == 0 ? "it is empty" : $"it holds {string.Join(", ", names.Take(Shown))}{(names.Count > Shown ? ", ..." : string.Empty)}";
        }

        return $"{folder} is not an adapter folder (no {PeftConfig.FileName}): {reason}";
    }

    private static string Few(IReadOnlyList<string> folders) =>
        string.Join(", ", folders.Take(Shown)) + (folders.Count > Shown ? $" and {folders.Count - Shown} more" : string.Empty);
}
