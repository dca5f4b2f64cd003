namespace Fovea.Data.Datasets;

/// <summary>The names by which datasets stand in the names of metrics: an entry's own, and of a path the file's or folder's without its ending.</summary>
internal static class HeldOutNames
{
    /// <summary>One name for each dataset, in their order.</summary>
    /// <exception cref="ConfigException">Two datasets come to the same name.</exception>
    public static IReadOnlyList<string> Of(IReadOnlyList<string> datasets)
    {
        var names = datasets.Select(Of).ToList();
        var twice = names.GroupBy(name => name, StringComparer.OrdinalIgnoreCase).FirstOrDefault(group => group.Count() > 1);
        return twice is null ? names : throw new ConfigException(
            $"eval_on_each_dataset: {string.Join(" and ", datasets.Where(dataset => Of(dataset).Equals(twice.Key, StringComparison.OrdinalIgnoreCase)))} "
            + $"would both be logged as eval_{twice.Key}_loss; name each once, and describe files of equal names in {DatasetCatalog.InfoFile}");
    }

    // It becomes part of file names and of tags, too.
    private static string Of(string dataset)
    {
        var name = DatasetCatalog.IsPath(dataset) ? Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(dataset)) : dataset;
        return string.Concat(name.Select(c => char.IsLetterOrDigit(c) || c is '_' or '-' or '.' ? c : '_'));
    }
}
