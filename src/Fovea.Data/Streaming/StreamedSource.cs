using System.Text.Json;
using Fovea.Data.Datasets;
using Fovea.Data.Readers;
using Fovea.Data.Tables;

namespace Fovea.Data.Streaming;

/// <summary>The files of one dataset, opened when their turn comes, and what turns a row of them into a conversation.</summary>
internal sealed class StreamedSource(DatasetSpec spec, DataOptions options) : IDisposable
{
    private readonly RowConverter converter = new(spec, options.ImageRoot, takesTools: options.TakesTools);
    private readonly OpenScans open = new(key => Open(spec, key.File, key.Group));

    public DatasetSpec Spec => spec;

    /// <summary>Groups of rows in a file, each opened by itself.</summary>
    /// <exception cref="ConfigException">The file is missing or damaged.</exception>
    public int Groups(int file)
    {
        using var table = TableRows.Open(spec.Files[file]);
        return table?.Groups ?? 1;
    }

    /// <summary>A scan of one's own.</summary>
    /// <exception cref="ConfigException">The file is missing or damaged.</exception>
    public IRowScan Open(int file, int group) => Open(spec, file, group);

    /// <summary>The conversation at a place, or null and the reasons in <paramref name="problems"/>; from any thread.</summary>
    public Conversation? Read(RowPlace place, List<string> problems, ColumnUse? use = null)
    {
        try
        {
            return open.Use((place.File, place.Group), scan =>
            {
                using var row = scan.Read(place.Start, place.Length);
                return converter.Convert(row, checked((int)place.Row + 1), problems, use);
            });
        }
        catch (JsonException e)
        {
            problems.Add(Brief.Of(e.Message, 300));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problems.Add($"cannot be read: {e.Message}");
        }

        return null;
    }

    /// <summary>The sample with its file, where the dataset's name does not say it.</summary>
    public BadSample Place(BadSample bad, RowPlace place)
    {
        var name = Path.GetFileName(spec.Files[place.File]);
        return spec.Files.Count == 1 && spec.Name.EndsWith(name, StringComparison.Ordinal) ? bad
            : bad with { Place = spec.Files.Count > 1 ? $"{name}, there row {place.FileRow + 1}" : name };
    }

    public void Dispose() => open.Dispose();

    private static IRowScan Open(DatasetSpec spec, int file, int group)
    {
        var (path, columns) = (spec.Files[file], spec.Shape?.Columns);
        return Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".json" or ".jsonl" => new JsonScan(path),
            ".csv" => new CsvScan(path, columns),
            ".parquet" => new JsonScan(TableRows.Unpack(path, columns, group)),
            ".arrow" => new JsonScan(TableRows.Unpack(path, columns)),
            _ => new IndexedScan(RowReaders.Open(path, spec.Shape)),
        };
    }
}
