namespace Fovea.Files.Safetensors;

/// <summary>One tensor to be written: declared first, its bytes asked for when its turn comes.</summary>
/// <param name="Name">The checkpoint's name for it.</param>
/// <param name="DType">Element type.</param>
/// <param name="Shape">Extents, outermost first; empty for a scalar.</param>
/// <param name="WriteTo">Writes exactly <see cref="Bytes"/> bytes, row-major and little-endian. Called once, in any number of pieces.</param>
internal sealed record TensorSource(string Name, DType DType, long[] Shape, Action<Stream> WriteTo)
{
    /// <summary>Number of elements.</summary>
    public long Count
    {
        get
        {
            var count = 1L;
            foreach (var extent in Shape)
            {
                ArgumentOutOfRangeException.ThrowIfNegative(extent, nameof(Shape));
                count = checked(count * extent);
            }

            return count;
        }
    }

    /// <summary>Length in bytes.</summary>
    public long Bytes => checked(Count * DType.Size());

    public static TensorSource FromBytes(string name, DType dtype, long[] shape, ReadOnlyMemory<byte> bytes) =>
        new(name, dtype, shape, stream => stream.Write(bytes.Span));

    /// <summary>Copies a tensor from one file to another; the entry's reader must stay open until it is written.</summary>
    public static TensorSource FromEntry(TensorEntry entry) =>
        new(entry.Name, entry.DType, entry.Shape, stream => entry.Memory.CopyTo(stream, entry.Offset, entry.Bytes));
}
