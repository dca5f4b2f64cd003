using System.Buffers.Binary;
using System.Security.Cryptography;
using Fovea.Native;

namespace Fovea.Training.Features;

/// <summary>
/// One image's features in a file: a header of 96 bytes (mark, element type, rows, width, key, SHA-256 of what follows; little-endian), then the elements.
/// </summary>
internal static class FeatureFile
{
    internal const int HeaderBytes = 96;
    private static readonly byte[] Mark = "FOVEAVF1"u8.ToArray();

    internal static void Write(Stream stream, string key, ImageFeatures features)
    {
        var header = new byte[HeaderBytes];
        Mark.CopyTo(header, 0);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(8), (long)features.DType);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(16), features.Rows);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(24), features.Width);
        Convert.FromHexString(key).CopyTo(header, 32);
        SHA256.HashData(features.Memory.Bytes, header.AsSpan(64));
        stream.Write(header);
        stream.Write(features.Memory.Bytes);
    }

    /// <summary>The features; one reference belongs to the caller.</summary>
    /// <exception cref="InvalidDataException">The file is truncated, damaged, or of something else.</exception>
    internal static ImageFeatures Read(Stream stream, string key)
    {
        var header = new byte[HeaderBytes];
        if (stream.ReadAtLeast(header, HeaderBytes, throwOnEndOfStream: false) < HeaderBytes || !header.AsSpan(0, 8).SequenceEqual(Mark))
        {
            throw new InvalidDataException("it does not begin as it should");
        }

        var dtype = (DType)BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(8));
        var (rows, width) = (BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(16)), BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(24)));
        var length = stream.Length - HeaderBytes;
        if (dtype is not (DType.F32 or DType.BF16 or DType.F16) || rows <= 0 || width <= 0 || length > int.MaxValue
            || (Int128)rows * width * dtype.Size() != length || !header.AsSpan(32, 32).SequenceEqual(Convert.FromHexString(key)))
        {
            throw new InvalidDataException("its length or its header is wrong");
        }

        var memory = HeapMemory.Allocate(length);
        try
        {
            stream.ReadExactly(memory.Bytes);
            return SHA256.HashData(memory.Bytes).AsSpan().SequenceEqual(header.AsSpan(64, 32))
                ? new ImageFeatures(memory, rows, width, dtype)
                : throw new InvalidDataException("its content does not match its checksum");
        }
        catch (Exception e)
        {
            memory.Release();
            throw e is EndOfStreamException ? new InvalidDataException("it ends too early", e) : e;
        }
    }
}
