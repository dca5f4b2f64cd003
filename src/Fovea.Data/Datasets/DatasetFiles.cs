using Fovea.Data.Arrow;
using Fovea.Data.Readers;

namespace Fovea.Data.Datasets;

/// <summary>The files of one dataset: the file itself, or every file of a folder in the order of their names, or in that which the folder says.</summary>
internal static class DatasetFiles
{
    /// <summary>The path from the root, for a message.</summary>
    internal static string Full(string path) => Brief.Of(path.Contains('\0', StringComparison.Ordinal) ? path : Path.GetFullPath(path), 300);

    internal static IReadOnlyList<string> Find(string dataset, string path)
    {
        string[] files;
        if (Directory.Exists(path))
        {
            if (ArrowFolder.Files(dataset, path) is { } saved)
            {
                return saved;
            }

            files = List(dataset, path);
            Array.Sort(files, StringComparer.Ordinal);
            if (files.Length == 0)
            {
                throw new ConfigException($"dataset '{dataset}': the folder {path} is empty");
            }
        }
        else if (File.Exists(path))
        {
            files = [path];
        }
        else
        {
            throw new ConfigException($"dataset '{dataset}': {Full(path)} does not exist");
        }

        var foreign = files.Where(f => !RowReaders.Knows(f)).ToArray();
        return foreign.Length == 0 ? files : throw new ConfigException(
            foreign.Select(f => $"dataset '{dataset}': {f} is none of {RowReaders.Endings}; {RowReaders.Remedy(f)}").ToArray());
    }

    private static string[] List(string dataset, string folder)
    {
        try
        {
            return Directory.GetFiles(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigException($"dataset '{dataset}': the folder {folder} cannot be read: {e.Message}");
        }
    }
}
