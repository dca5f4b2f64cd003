using System.Runtime.InteropServices;

namespace Fovea.Native;

/// <summary>Bytes allocated outside the managed heap, aligned to 64.</summary>
internal sealed unsafe class HeapMemory : WritableMemory
{
    private HeapMemory(byte* pointer, long length)
        : base(pointer, length)
    {
    }

    /// <exception cref="OutOfMemoryException">The system has not that much.</exception>
    public static HeapMemory Allocate(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        return new HeapMemory((byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(length, 1), 64), length);
    }

    /// <summary>A row-major copy of a strided array. Strides count elements; the caller has checked that every index lies in the source.</summary>
    internal static HeapMemory Gather(RawMemory source, long offset, int elementBytes, ReadOnlySpan<long> shape, ReadOnlySpan<long> strides)
    {
        var count = 1L;
        foreach (var extent in shape)
        {
            count *= extent;
        }

        var result = Allocate(count * elementBytes);
        var index = new long[shape.Length];
        var from = source.Pointer + offset;
        var to = result.Pointer;
        for (long done = 0; done < count; done++, to += elementBytes)
        {
            Buffer.MemoryCopy(from, to, elementBytes, elementBytes);
            for (var d = shape.Length - 1; d >= 0; d--)
            {
                from += strides[d] * elementBytes;
                if (++index[d] < shape[d])
                {
                    break;
                }

                from -= shape[d] * strides[d] * elementBytes;
                index[d] = 0;
            }
        }

        return result;
    }

    private protected override void Free() => NativeMemory.AlignedFree(Pointer);
}
