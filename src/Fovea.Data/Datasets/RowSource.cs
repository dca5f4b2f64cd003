using System.Text.Json;
using Fovea.Data.Parquet;

namespace Fovea.Data.Datasets;

/// <summary>The rows of one data set, in the order of its files, at most <c>max_samples</c> of them.</summary>
internal sealed class RowSource : IDisposable
{
    private readonly List<JsonRowFile> files = [];
    private readonly List<int> ends = [];
    private readonly RowConverter converter;

    internal RowSource(DatasetSpec spec, string mediaDir, int? maxSamples)
    {
        Spec = spec;
        converter = new RowConverter(spec, mediaDir);
        var rows = 0;
        try
        {
            foreach (var path in spec.Files)
            {
                files.Add(JsonRowFile.Open(ParquetRows.IsParquet(path) ? ParquetRows.Unpack(path, spec.Shape?.Columns) : path));
                rows += files[^1].Count;
                ends.Add(rows);
            }
        }
        catch
        {
            Dispose();
            throw;
        }

        Count = Math.Min(rows, maxSamples ?? rows);
    }

    internal DatasetSpec Spec { get; }

    internal int Count { get; }

    public void Dispose() => files.ForEach(f => f.Dispose());

    /// <summary>Row <paramref name="index"/> (from 0), or null and the reasons in <paramref name="problems"/>.</summary>
    internal Conversation? Read(int index, List<string> problems, ColumnUse? use = null)
    {
        var (file, row) = Find(index);
        try
        {
            using var document = files[file].Read(row);
            return converter.Convert(document.RootElement, index + 1, problems, use);
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

    /// <summary>A row that cannot be used, with its place where the data set's name does not say it.</summary>
    internal BadSample Bad(int index, IReadOnlyList<string> problems) => Place(new BadSample(Spec.Name, index + 1, Brief.Join(problems)), index);

    internal BadSample Place(BadSample bad, int index)
    {
        var (file, row) = Find(index);
        var name = Path.GetFileName(Spec.Files[file]);
        return files.Count > 1 ? bad with { Place = $"{name}, there row {row + 1}" }
            : Spec.Name.EndsWith(name, StringComparison.Ordinal) ? bad
            : bad with { Place = name };
    }

    private (int File, int Row) Find(int index)
    {
        var file = 0;
        while (index >= ends[file])
        {
            file++;
        }

        return (file, index - (file == 0 ? 0 : ends[file - 1]));
    }
}
