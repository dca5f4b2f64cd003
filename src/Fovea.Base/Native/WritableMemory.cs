namespace Fovea.Native;

/// <summary>Memory of this process, in contrast to a file's.</summary>
internal abstract unsafe class WritableMemory : RawMemory
{
    private protected WritableMemory(byte* pointer, long length)
        : base(pointer, length)
    {
    }

    /// <summary>All bytes, for writing, while a reference is held.</summary>
    /// <exception cref="OverflowException">They are more than a span can be.</exception>
    public Span<byte> Bytes => new(Pointer, checked((int)Length));
}
