namespace Fovea.Data.Parquet;

/// <summary>A leaf of the schema: its top name, and how deep optional and repeated fields above it go.</summary>
internal sealed record ParquetColumn(string Name, int Index, int Type, int MostDefined, int MostRepeated);
