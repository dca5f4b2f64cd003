namespace Fovea.Data.Datasets;

/// <summary>The files of one data set: the file itself, or every file of a folder in the order of their names.</summary>
internal static class DatasetFiles
{
    internal static IReadOnlyList<string> Find(string dataset, string path)
    {
        string[] files;
        if (Directory.Exists(path))
        {
            files = Directory.GetFiles(path);
            Array.Sort(files, StringComparer.Ordinal);
            if (files.Length == 0)
            {
                throw new ConfigException($"data set '{dataset}': the folder {path} is empty");
            }
        }
        else if (File.Exists(path))
        {
            files = [path];
        }
        else
        {
            throw new ConfigException($"data set '{dataset}': {Path.GetFullPath(path)} does not exist");
        }

        var foreign = files.Where(f => Path.GetExtension(f).ToLowerInvariant() is not (".json" or ".jsonl" or ".parquet")).ToArray();
        return foreign.Length == 0 ? files : throw new ConfigException(
            foreign.Select(f => $"data set '{dataset}': {f} is none of .json, .jsonl and .parquet; convert it to one of them").ToArray());
    }
}
