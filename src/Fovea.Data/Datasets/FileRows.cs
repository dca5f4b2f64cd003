using System.Text.Json;
using Fovea.Data.Readers;

namespace Fovea.Data.Datasets;

/// <summary>The rows of a dataset's files, in their order, at most <c>max_samples</c> of them.</summary>
internal sealed class FileRows : RowSource
{
    private readonly JoinedRows rows;
    private readonly RowConverter converter;

    internal FileRows(DatasetSpec spec, DataOptions options)
        : base(spec)
    {
        converter = new RowConverter(spec, options.ImageRoot, takesTools: options.TakesTools);
        var files = new List<IRowReader>();
        try
        {
            foreach (var path in spec.Files)
            {
                files.Add(RowReaders.Open(path, spec.Shape));
            }
        }
        catch
        {
            files.ForEach(file => file.Dispose());
            throw;
        }

        rows = new JoinedRows(files);
        Count = Math.Min(rows.Count, options.MaxSamples ?? rows.Count);
    }

    internal override int Count { get; }

    public override void Dispose() => rows.Dispose();

    internal override Conversation? Read(int index, List<string> problems, ColumnUse? use = null)
    {
        try
        {
            using var row = rows.Read(index);
            return converter.Convert(row, index + 1, problems, use);
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

    internal override BadSample Place(BadSample bad, int index)
    {
        var (file, row) = rows.Find(index);
        var name = Path.GetFileName(Spec.Files[file]);
        string?[] place =
        [
            Spec.Files.Count > 1 || !Spec.Name.EndsWith(name, StringComparison.Ordinal) ? name : null,
            Spec.Files.Count > 1 ? $"there row {row + 1}" : null,
            rows.PlaceOf(index),
        ];
        return Array.TrueForAll(place, part => part is null) ? bad : bad with { Place = string.Join(", ", place.OfType<string>()) };
    }
}
