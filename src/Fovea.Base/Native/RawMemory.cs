namespace Fovea.Native;

/// <summary>
/// A block of bytes outside the managed heap, shared by counting references. It starts with one reference, that of its maker;
/// whoever keeps the address (a tensor made on it) takes another. The bytes go away with the last <see cref="Release"/>, never before.
/// </summary>
internal abstract unsafe class RawMemory
{
    // A single span may not be longer than an int; this many bytes are handed to a stream at a time.
    private const int CopyChunk = 1 << 26;

    private static long live;
    private int references = 1;

    private protected RawMemory(byte* pointer, long length)
    {
        Pointer = pointer;
        Length = length;
        Interlocked.Increment(ref live);
    }

    /// <summary>Blocks not yet given back, over the whole process.</summary>
    public static long Live => Interlocked.Read(ref live);

    /// <summary>Length in bytes.</summary>
    public long Length { get; }

    /// <summary>Address of the first byte; valid while a reference is held.</summary>
    public nint Address => (nint)Pointer;

    internal byte* Pointer { get; }

    /// <summary>Takes a reference.</summary>
    /// <exception cref="ObjectDisposedException">The bytes are gone already.</exception>
    public void AddRef()
    {
        while (true)
        {
            var seen = Volatile.Read(ref references);
            ObjectDisposedException.ThrowIf(seen == 0, this);
            if (Interlocked.CompareExchange(ref references, seen + 1, seen) == seen)
            {
                return;
            }
        }
    }

    /// <summary>Gives a reference back; the last one frees the bytes.</summary>
    /// <exception cref="InvalidOperationException">More references were given back than were taken.</exception>
    public void Release()
    {
        var left = Interlocked.Decrement(ref references);
        if (left == 0)
        {
            Interlocked.Decrement(ref live);
            Free();
        }
        else if (left < 0)
        {
            Interlocked.Increment(ref references);
            throw new InvalidOperationException("memory was released more often than it was referenced");
        }
    }

    /// <summary><paramref name="length"/> bytes from <paramref name="offset"/> on. The span is valid while the caller holds a reference.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the block, or is longer than a span can be.</exception>
    public ReadOnlySpan<byte> Slice(long offset, long length)
    {
        CheckRange(offset, length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, int.MaxValue);
        return new ReadOnlySpan<byte>(Pointer + offset, (int)length);
    }

    /// <summary>Writes a range of any length to a stream.</summary>
    public void CopyTo(Stream stream, long offset, long length)
    {
        CheckRange(offset, length);
        for (long done = 0; done < length;)
        {
            var piece = Math.Min(CopyChunk, length - done);
            stream.Write(Slice(offset + done, piece));
            done += piece;
        }
    }

    private protected void CheckRange(long offset, long length)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref references) == 0, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length - offset);
    }

    private protected abstract void Free();
}
