using Fovea.Native;

namespace Fovea.Files.Pickle;

/// <summary>A tensor as <c>torch.save</c> wrote it: a strided window on a storage. Every index lies inside <paramref name="Memory"/>.</summary>
/// <param name="DType">Element type.</param>
/// <param name="Shape">Extents, outermost first.</param>
/// <param name="Strides">Steps in elements, never negative.</param>
/// <param name="Memory">The mapped file.</param>
/// <param name="Offset">The first element's byte within <paramref name="Memory"/>.</param>
/// <param name="StorageBytes">Length of the whole storage, which several tensors may share.</param>
internal sealed record PickledTensor(DType DType, long[] Shape, long[] Strides, RawMemory Memory, long Offset, long StorageBytes)
{
    /// <summary>Number of elements.</summary>
    public long Count
    {
        get
        {
            var count = 1L;
            foreach (var extent in Shape)
            {
                count = checked(count * extent);
            }

            return count;
        }
    }

    /// <summary>Length in bytes when laid out row by row.</summary>
    public long Bytes => checked(Count * DType.Size());

    /// <summary>Whether the elements lie row by row without gaps; extents of 1 have no say.</summary>
    public bool IsContiguous
    {
        get
        {
            if (Shape.Contains(0))
            {
                return true;
            }

            var expected = 1L;
            for (var d = Shape.Length - 1; d >= 0; d--)
            {
                if (Shape[d] != 1 && Strides[d] != expected)
                {
                    return false;
                }

                expected *= Shape[d];
            }

            return true;
        }
    }
}
