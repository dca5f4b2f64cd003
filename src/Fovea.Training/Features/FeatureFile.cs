using System.Buffers.Binary;
using System.Security.Cryptography;
using Fovea.Native;

namespace Fovea.Training.Features;

/// <summary>
/// One image's features in a file: a header of 96 bytes (mark, element type, rows, width, key, SHA-256 of what follows; little-endian), then the elements.
/// Where decoder layers have features of their own the mark is another, and between header and elements stand their number, rows and width.
/// </summary>
internal static class FeatureFile
{
    internal const int HeaderBytes = 96;
    private const int LayerBytes = 24;
    private static readonly byte[] Mark = "FOVEAVF1"u8.ToArray();
    private static readonly byte[] LayerMark = "FOVEAVF2"u8.ToArray();

    /// <summary>Bytes of the whole file.</summary>
    internal static long LengthOf(ImageFeatures features) => HeaderBytes + (features.Layers == 0 ? 0 : LayerBytes) + features.Memory.Length;

    internal static void Write(Stream stream, string key, ImageFeatures features)
    {
        var header = new byte[HeaderBytes];
        (features.Layers == 0 ? Mark : LayerMark).CopyTo(header, 0);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(8), (long)features.DType);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(16), features.Rows);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(24), features.Width);
        Convert.FromHexString(key).CopyTo(header, 32);
        var layers = new byte[features.Layers == 0 ? 0 : LayerBytes];
        if (layers.Length > 0)
        {
            BinaryPrimitives.WriteInt64LittleEndian(layers, features.Layers);
            BinaryPrimitives.WriteInt64LittleEndian(layers.AsSpan(8), features.LayerRows);
            BinaryPrimitives.WriteInt64LittleEndian(layers.AsSpan(16), features.LayerWidth);
        }

        Hash(layers, features.Memory.Bytes).CopyTo(header, 64);
        stream.Write(header);
        stream.Write(layers);
        stream.Write(features.Memory.Bytes);
    }

    /// <summary>The features; one reference belongs to the caller.</summary>
    /// <exception cref="InvalidDataException">The file is truncated, damaged, or of something else.</exception>
    internal static ImageFeatures Read(Stream stream, string key)
    {
        var header = new byte[HeaderBytes];
        if (stream.ReadAtLeast(header, HeaderBytes, throwOnEndOfStream: false) < HeaderBytes || Layers(stream, header) is not { } layers)
        {
            throw new InvalidDataException("it does not begin as it should");
        }

        var dtype = (DType)BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(8));
        var (rows, width) = (BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(16)), BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(24)));
        var (count, layerRows, layerWidth) = layers.Length == 0 ? default : (
            BinaryPrimitives.ReadInt64LittleEndian(layers), BinaryPrimitives.ReadInt64LittleEndian(layers.AsSpan(8)),
            BinaryPrimitives.ReadInt64LittleEndian(layers.AsSpan(16)));
        var length = stream.Length - HeaderBytes - layers.Length;
        if (dtype is not (DType.F32 or DType.BF16 or DType.F16) || rows <= 0 || width <= 0 || length > int.MaxValue
            || (layers.Length > 0 && (count is <= 0 or > int.MaxValue || layerRows is <= 0 or > int.MaxValue || layerWidth is <= 0 or > int.MaxValue))
            || (((Int128)rows * width) + ((Int128)count * layerRows * layerWidth)) * dtype.Size() != length
            || !header.AsSpan(32, 32).SequenceEqual(Convert.FromHexString(key)))
        {
            throw new InvalidDataException("its length or its header is wrong");
        }

        var memory = HeapMemory.Allocate(length);
        try
        {
            stream.ReadExactly(memory.Bytes);
            return Hash(layers, memory.Bytes).AsSpan().SequenceEqual(header.AsSpan(64, 32))
                ? new ImageFeatures(memory, rows, width, dtype) { Layers = (int)count, LayerRows = layerRows, LayerWidth = layerWidth }
                : throw new InvalidDataException("its content does not match its checksum");
        }
        catch (Exception e)
        {
            memory.Release();
            throw e is EndOfStreamException ? new InvalidDataException("it ends too early", e) : e;
        }
    }

    /// <summary>What stands between header and elements: nothing, or what layers have; null where the mark is wrong or it ends too early.</summary>
    private static byte[]? Layers(Stream stream, byte[] header)
    {
        if (header.AsSpan(0, 8).SequenceEqual(Mark))
        {
            return [];
        }

        var layers = new byte[LayerBytes];
        return header.AsSpan(0, 8).SequenceEqual(LayerMark) && stream.ReadAtLeast(layers, LayerBytes, throwOnEndOfStream: false) == LayerBytes
            ? layers
            : null;
    }

    private static byte[] Hash(byte[] layers, ReadOnlySpan<byte> elements)
    {
        if (layers.Length == 0)
        {
            return SHA256.HashData(elements);
        }

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(layers);
        hash.AppendData(elements);
        return hash.GetHashAndReset();
    }
}
