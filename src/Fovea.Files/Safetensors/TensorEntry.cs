using Fovea.Native;

namespace Fovea.Files.Safetensors;

/// <summary>One stored tensor: where its bytes lie (row-major, little-endian). <paramref name="Memory"/> belongs to the reader that made the entry.</summary>
/// <param name="Name">The checkpoint's name for it.</param>
/// <param name="DType">Element type.</param>
/// <param name="Shape">Extents, outermost first; empty for a scalar.</param>
/// <param name="Offset">First byte within <paramref name="Memory"/>; not necessarily aligned.</param>
/// <param name="Bytes">Length in bytes, the product of the shape times the element size.</param>
/// <param name="Memory">The mapped file (or a copy where the file holds it strided). Take a reference to keep the address beyond the reader's life.</param>
/// <param name="File">The file it comes from, for messages.</param>
internal sealed record TensorEntry(string Name, DType DType, long[] Shape, long Offset, long Bytes, RawMemory Memory, string File)
{
    /// <summary>Address of the first byte, valid while a reference on <see cref="Memory"/> is held.</summary>
    public nint Address => Memory.Address + (nint)Offset;

    /// <summary>The bytes; only for tensors below 2 GiB.</summary>
    public ReadOnlySpan<byte> Span => Memory.Slice(Offset, Bytes);

    /// <summary>For instance <c>BF16[4096, 11008]</c>.</summary>
    public string Describe() => $"{DType.SafetensorsName()}[{string.Join(", ", Shape)}]";
}
