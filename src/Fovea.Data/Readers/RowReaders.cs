using Fovea.Data.Datasets;
using Fovea.Data.Tables;

namespace Fovea.Data.Readers;

/// <summary>The table of readers: which file is read by what.</summary>
internal static class RowReaders
{
    // One line a kind of file; the description says which columns the rows have, null without one.
    private static readonly Dictionary<string, Func<string, RowShape?, IRowReader>> ByExtension = new(StringComparer.OrdinalIgnoreCase)
    {
        [".json"] = (path, _) => JsonRowFile.Open(path),
        [".jsonl"] = (path, _) => JsonRowFile.Open(path),
        [".csv"] = (path, shape) => CsvRowFile.Open(path, shape?.Columns),
        [".parquet"] = (path, shape) => JsonRowFile.Open(TableRows.Unpack(path, shape?.Columns)),
        [".arrow"] = (path, shape) => JsonRowFile.Open(TableRows.Unpack(path, shape?.Columns)),
        [".tar"] = (path, shape) => TarRowFile.Open(path, shape?.Columns),
    };

    // What people have instead, and what to do with it.
    private static readonly Dictionary<string, string> Remedies = new(StringComparer.OrdinalIgnoreCase)
    {
        [".gz"] = "unpack it with gunzip: rows of a compressed file cannot be read in any order",
        [".tgz"] = "unpack it with gunzip to a .tar: rows of a compressed file cannot be read in any order",
        [".zst"] = "unpack it with zstd -d: rows of a compressed file cannot be read in any order",
        [".tsv"] = "write it with commas, as .csv",
        [".feather"] = "name it .arrow, which is the same format since version 2",
        [".xlsx"] = "save it as .csv with UTF-8",
    };

    /// <summary>The endings of names, for messages.</summary>
    internal const string Endings = ".json, .jsonl, .csv, .parquet, .arrow and .tar";

    internal static bool Knows(string path) => ByExtension.ContainsKey(Path.GetExtension(path));

    /// <summary>What to do with a file that no reader knows.</summary>
    internal static string Remedy(string path) => Remedies.GetValueOrDefault(Path.GetExtension(path), "convert it to one of them");

    /// <param name="shape">What a description says of the rows; null without one.</param>
    /// <exception cref="ConfigException">The file is missing, cannot be read or is damaged; names it.</exception>
    internal static IRowReader Open(string path, RowShape? shape) => ByExtension[Path.GetExtension(path)](path, shape);
}
