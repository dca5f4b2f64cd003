using Fovea.Data.Parquet;

namespace Fovea.Evaluation.Tables;

/// <summary>Finds and reads the table of a benchmark: VLMEvalKit's TSV, Hugging Face's parquet, JSON and JSON lines.</summary>
internal static class TableFiles
{
    private static readonly string[] Endings = [".tsv", ".parquet", ".jsonl", ".json"];

    /// <summary>All rows, in the order of the files' names.</summary>
    /// <param name="name">The benchmark, for messages.</param>
    /// <exception cref="ConfigException">There is no such file, or one is malformed.</exception>
    public static List<TableRow> Read(string name, BenchmarkInput input)
    {
        var rows = new List<TableRow>();
        foreach (var path in Find(name, input.Data))
        {
            using var pictures = new PictureReader(path, input);
            foreach (var row in Rows(path, pictures))
            {
                rows.Add(row);
            }

            pictures.Complete();
        }

        return rows.Count > 0 ? rows : throw new ConfigException($"{input.Data} has no rows");
    }

    private static IEnumerable<TableRow> Rows(string path, PictureReader pictures) => Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".tsv" => FromTsv(path, pictures),
        ".parquet" => FromParquet(path, pictures),
        _ => JsonTable.Rows(path).Select((row, i) => Row(path, row.Place, i, row.Cells, pictures)),
    };

    private static IEnumerable<TableRow> FromTsv(string path, PictureReader pictures) =>
        TsvFile.Rows(path).Select((row, i) => Row(path, $"line {row.Line}", i, row.Fields, pictures));

    private static IEnumerable<TableRow> FromParquet(string path, PictureReader pictures)
    {
        using var file = new ParquetFile(path);
        var columns = new List<(string Name, IEnumerator<object?> Values)>();
        try
        {
            foreach (var name in file.Names.Distinct())
            {
                if (Column(file, name) is { } values)
                {
                    columns.Add((name, values.GetEnumerator()));
                }
            }

            for (var i = 0; i < file.Rows; i++)
            {
                var cells = columns.ToDictionary(column => column.Name, column => column.Values.MoveNext() ? column.Values.Current : null);
                yield return Row(path, $"row {i + 1}", i, cells, pictures);
            }
        }
        finally
        {
            columns.ForEach(column => column.Values.Dispose());
        }
    }

    /// <summary>Null for a column of values that are not read, such as times, which no benchmark needs.</summary>
    private static IEnumerable<object?>? Column(ParquetFile file, string name)
    {
        try
        {
            return file.Read(name);
        }
        catch (ConfigException)
        {
            return null;
        }
    }

    private static TableRow Row(string path, string place, int number, Dictionary<string, object?> cells, PictureReader pictures)
    {
        var taken = cells.Where(pair => PictureReader.IsPicture(pair.Key)).ToList();
        var row = new TableRow(path, place, cells.Where(pair => !PictureReader.IsPicture(pair.Key)).ToDictionary());
        pictures.Read(row, number, taken);
        return row;
    }

    private static IReadOnlyList<string> Find(string name, string? data)
    {
        if (data is null)
        {
            throw new ConfigException($"{name} needs data: a file ({string.Join(", ", Endings)}), or a folder with it");
        }

        if (Directory.Exists(data))
        {
            return OneOf(data, Files(data, "*"));
        }

        if (File.Exists(data))
        {
            return Endings.Contains(Path.GetExtension(data).ToLowerInvariant()) ? [data]
                : throw new ConfigException($"{data}: a benchmark's table is a file that ends in {string.Join(", ", Endings)}");
        }

        var folder = Path.GetDirectoryName(data) is { Length: > 0 } given ? given : ".";
        var found = data.Contains('*') && Directory.Exists(folder) ? Files(folder, Path.GetFileName(data)) : [];
        return found.Count > 0 ? found : throw new ConfigException($"{data} {TextFile.WhyNot(data, new FileNotFoundException())}");
    }

    private static List<string> Files(string folder, string pattern) =>
    [
        .. Directory.EnumerateFiles(folder, pattern, SearchOption.AllDirectories)
            .Where(file => Endings.Contains(Path.GetExtension(file).ToLowerInvariant()) && !Path.GetFileName(file).StartsWith('.'))
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>The shards of one split; a folder with several splits does not say which is meant.</summary>
    private static IReadOnlyList<string> OneOf(string folder, List<string> files)
    {
        foreach (var ending in Endings)
        {
            var some = files.Where(file => file.EndsWith(ending, StringComparison.OrdinalIgnoreCase)).ToList();
            var splits = some.Select(file => Path.GetFileName(file))
                .GroupBy(file => ending == ".parquet" ? file.Split('-')[0] : file, StringComparer.Ordinal).ToList();
            if (splits.Count > 1)
            {
                throw new ConfigException($"{folder} has several tables: {Data.Datasets.Brief.List([.. splits.Select(split => split.Key)])}; name one of them, "
                    + $"or a pattern such as {Path.Combine(folder, $"{splits[0].Key}*{(ending == ".parquet" ? ending : string.Empty)}")}");
            }

            if (some.Count > 0)
            {
                return some;
            }
        }

        throw new ConfigException($"{folder} has no file that ends in {string.Join(", ", Endings)}");
    }
}
