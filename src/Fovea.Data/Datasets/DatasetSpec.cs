namespace Fovea.Data.Datasets;

/// <summary>One data set as found: its name, its files in reading order, and how its rows are to be read.</summary>
public sealed record DatasetSpec(string Name, IReadOnlyList<string> Files, RowFormat Format, DatasetColumns Columns, DatasetTags Tags);
