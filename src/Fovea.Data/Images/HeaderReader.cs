using System.Buffers.Binary;

namespace Fovea.Data.Images;

/// <summary>Reads small pieces of a file and turns every overrun into an <see cref="ImageException"/> that names it.</summary>
internal sealed class HeaderReader(Stream stream, string name)
{
    private readonly byte[] buffer = new byte[64];

    public string Name { get; } = name;

    public long Length { get; } = stream.Length;

    public long Position
    {
        get => stream.Position;
        set => stream.Position = value;
    }

    public ImageException Bad(string reason) => new(Name, reason);

    /// <summary>The next bytes (at most 64); valid until the next call.</summary>
    public ReadOnlySpan<byte> Take(int count)
    {
        var target = buffer.AsSpan(0, count);
        Fill(target);
        return target;
    }

    /// <summary>The next bytes in an array of their own.</summary>
    public byte[] TakeArray(int count)
    {
        if (count > Length - Position)
        {
            throw Truncated();
        }

        var bytes = new byte[count];
        Fill(bytes);
        return bytes;
    }

    public byte TakeByte() => Take(1)[0];

    public int TakeBigEndian16() => BinaryPrimitives.ReadUInt16BigEndian(Take(2));

    public void Skip(long count)
    {
        if (count > Length - Position)
        {
            throw Truncated();
        }

        stream.Position += count;
    }

    /// <summary>As many of the next bytes as there are, at most what fits; 0 at the end.</summary>
    public int Read(Span<byte> target) => stream.Read(target);

    private void Fill(Span<byte> target)
    {
        if (stream.ReadAtLeast(target, target.Length, throwOnEndOfStream: false) < target.Length)
        {
            throw Truncated();
        }
    }

    private ImageException Truncated() => Bad($"is truncated or corrupt: it ends after {Length} bytes, inside a header; fetch it again");
}
