namespace Fovea.Data.Datasets;

/// <summary>Which fields of a dataset's rows nobody reads. Filled by one thread; what several saw is added up in the order of the rows.</summary>
internal sealed class ColumnUse(DatasetSpec spec)
{
    // Rows whose fields are names of things have as many fields as rows.
    private const int Most = 100;
    private readonly List<string> unread = [];

    internal void Unread(string name)
    {
        if (unread.Count < Most && !unread.Contains(name))
        {
            unread.Add(name);
        }
    }

    /// <summary>Takes in what was seen in later rows.</summary>
    internal void Add(ColumnUse later) => later.unread.ForEach(Unread);

    /// <summary>One line about all of them, with the known name that each was perhaps meant to be; null where every field is read.</summary>
    internal string? Notice() => unread.Count == 0
        ? null
        : $"dataset '{spec.Name}': nothing reads the {(unread.Count == 1 ? "column" : "columns")} {Brief.List([.. unread.Select(Shown)], 12)}";

    private string Shown(string name)
    {
        var quoted = $"'{Brief.Of(name, 30)}'";
        if (spec.Shape is { } shape)
        {
            return DatasetEntryKeys.ColumnFor(name, shape.Format) is { } key && !shape.Columns.Reads(name)
                ? $"{quoted} (columns.{key} would)"
                : Near(shape.Columns.Named);
        }

        return Near(RowShape.Known);

        string Near(IEnumerable<string> known) =>
            name.Length <= 40 && NearestKey.To(name, known.Where(k => k != name)) is { } near ? $"{quoted} (did you mean '{near}'?)" : quoted;
    }
}
