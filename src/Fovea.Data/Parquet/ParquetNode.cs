using ParquetSharp;

namespace Fovea.Data.Parquet;

/// <summary>
/// A field of a parquet schema. Levels (apache/parquet-format, Nested encoding): how many optional and repeated fields lead here, itself included.
/// </summary>
/// <param name="Type">Physical type of a leaf; null for a group.</param>
/// <param name="Width">Bytes of a value of fixed length.</param>
/// <param name="Leaf">Its number among the leaves, or that of the first below it.</param>
/// <param name="Leaves">Leaves from there on that belong to it.</param>
internal sealed record ParquetNode(
    string Name, PhysicalType? Type, int Width, int Defined, int Repeated, int Leaf, int Leaves, IReadOnlyList<ParquetNode> Children)
{
    public bool IsRepeated { get; init; }

    /// <summary>Bytes that are text.</summary>
    public bool IsText { get; init; }

    /// <summary>A group that stands for a list: its one child is repeated.</summary>
    public bool IsList { get; init; }

    public bool IsLeaf => Type is not null;

    /// <summary>The leaf of that number, itself or below.</summary>
    public ParquetNode LeafAt(int number) => IsLeaf ? this : Children.First(child => number < child.Leaf + child.Leaves).LeafAt(number);
}
