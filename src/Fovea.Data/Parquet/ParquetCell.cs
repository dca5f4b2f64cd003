namespace Fovea.Data.Parquet;

/// <summary>A place of a leaf: at which level a list goes on there (0 begins a row), how much of the path to it is there, and the value or null.</summary>
internal readonly record struct ParquetCell(int Repeated, int Defined, object? Value);
