using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Fovea.Cli.Demo;

/// <summary>Writes 8-bit RGB images as PNG (W3C PNG, third edition). Every row is stored as the difference to the one above.</summary>
internal static class PngWriter
{
    private const byte UpFilter = 2;

    /// <summary>Writes <paramref name="rgb"/> (height x width x 3 bytes, row-major) to <paramref name="path"/>, replacing it in one step.</summary>
    public static void Write(string path, int width, int height, ReadOnlySpan<byte> rgb)
    {
        var bytes = Encode(width, height, rgb);
        AtomicFile.Write(path, stream => stream.Write(bytes));
    }

    /// <summary>The PNG file of <paramref name="rgb"/> (height x width x 3 bytes, row-major).</summary>
    /// <exception cref="ArgumentException">A side is not positive, or the buffer has another length.</exception>
    public static byte[] Encode(int width, int height, ReadOnlySpan<byte> rgb)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(height);
        if (rgb.Length != (long)width * height * 3)
        {
            throw new ArgumentException($"{width} x {height} RGB pixels are {(long)width * height * 3} bytes, got {rgb.Length}", nameof(rgb));
        }

        Span<byte> header = stackalloc byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], height);
        header[8] = 8; // bits a channel
        header[9] = 2; // RGB
        using var file = new MemoryStream();
        file.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A]);
        WriteChunk(file, "IHDR", header);
        WriteChunk(file, "IDAT", Compress(width * 3, rgb));
        WriteChunk(file, "IEND", []);
        return file.ToArray();
    }

    private static byte[] Compress(int stride, ReadOnlySpan<byte> rgb)
    {
        using var compressed = new MemoryStream();
        using (var deflate = new ZLibStream(compressed, CompressionLevel.Optimal, leaveOpen: true))
        {
            var row = new byte[stride + 1];
            row[0] = UpFilter;
            for (var start = 0; start < rgb.Length; start += stride)
            {
                for (var x = 0; x < stride; x++)
                {
                    var above = start == 0 ? 0 : rgb[start - stride + x];
                    row[x + 1] = (byte)(rgb[start + x] - above);
                }

                deflate.Write(row);
            }
        }

        return compressed.ToArray();
    }

    private static void WriteChunk(Stream file, string type, ReadOnlySpan<byte> data)
    {
        Span<byte> word = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(word, data.Length);
        file.Write(word);
        var name = Encoding.ASCII.GetBytes(type);
        file.Write(name);
        file.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(word, Crc32.Append(Crc32.Append(0, name), data));
        file.Write(word);
    }
}
