namespace Fovea.Data.Images;

/// <summary>A PNG's packed pixels, chunk after chunk, as one stream; the reader stands at the first chunk's data.</summary>
internal sealed class PngData(HeaderReader reader, PngChunks chunks, long length) : Stream
{
    private long left = length;

    /// <summary>More was asked for than the file has.</summary>
    public bool RanOut { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Steps over what is left of the current chunk.</summary>
    public void SkipChunk() => reader.Position = Math.Min(reader.Position + left, reader.Length);

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        while (left == 0)
        {
            if (RanOut || chunks.NextData() is not { } next)
            {
                RanOut = true;
                return 0;
            }

            left = next;
        }

        var read = reader.Read(buffer[..(int)Math.Min(buffer.Length, left)]);
        RanOut = read == 0;
        left -= read;
        return read;
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
