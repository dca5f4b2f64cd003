namespace Fovea.Data.Streaming;

/// <summary>Goes through the bytes of a file from any place on, some at a time.</summary>
internal sealed class ByteWindow(string path) : IDisposable
{
    private readonly FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.SequentialScan);
    private readonly byte[] buffer = new byte[1 << 18];
    private long start;
    private int from;
    private int filled;

    /// <summary>The place of the next byte in the file.</summary>
    public long At => start + from;

    /// <summary>Bytes from there on; empty at the end of the file alone.</summary>
    public ReadOnlySpan<byte> Rest
    {
        get
        {
            if (from == filled)
            {
                (start, from, filled) = (start + filled, 0, stream.Read(buffer));
            }

            return buffer.AsSpan(from, filled - from);
        }
    }

    /// <summary>The next byte, which stays; -1 at the end.</summary>
    public int Peek => Rest is [var first, ..] ? first : -1;

    public void Advance(int bytes) => from += bytes;

    public void Seek(long at)
    {
        if (at != At)
        {
            (start, from, filled, stream.Position) = (at, 0, 0, at);
        }
    }

    public void Dispose() => stream.Dispose();
}
