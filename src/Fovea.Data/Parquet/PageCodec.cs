using System.Buffers.Binary;
using System.IO.Compression;
using K4os.Compression.LZ4;
using Snappier;
using ZstdSharp;

namespace Fovea.Data.Parquet;

/// <summary>Decompression of a page (apache/parquet-format, Compression.md); codecs go by their number in the format.</summary>
internal static class PageCodec
{
    /// <summary>The codec's name where pages in it are not read; null where they are.</summary>
    public static string? Refused(int codec) => codec switch
    {
        0 or 1 or 2 or 4 or 5 or 6 or 7 => null,
        3 => "LZO",
        _ => $"codec {codec}",
    };

    /// <exception cref="InvalidDataException">The page is damaged or has another length than was declared.</exception>
    public static byte[] Decompress(int codec, byte[] page, int length)
    {
        if (codec == 0)
        {
            return page;
        }

        var bytes = length < 0 ? throw new InvalidDataException("a page of negative length") : new byte[length];
        var read = codec switch
        {
            1 => Snappy.Decompress(page, bytes),
            2 or 4 => FromStream(codec, page, bytes),
            5 => FromHadoop(page, bytes),
            6 => FromZstandard(page, bytes),
            7 => LZ4Codec.Decode(page, bytes),
            _ => throw new InvalidDataException($"codec {codec}"),
        };
        return read == length ? bytes : throw new InvalidDataException($"{read} bytes come out of a page of {length}");
    }

    private static int FromStream(int codec, byte[] page, byte[] bytes)
    {
        using var stream = new MemoryStream(page);
        using Stream inner = codec == 2 ? new GZipStream(stream, CompressionMode.Decompress) : new BrotliStream(stream, CompressionMode.Decompress);
        inner.ReadExactly(bytes);
        return bytes.Length;
    }

    private static int FromZstandard(byte[] page, byte[] bytes)
    {
        try
        {
            using var decompressor = new Decompressor();
            return decompressor.Unwrap(page, bytes);
        }
        catch (ZstdException e)
        {
            throw new InvalidDataException(e.Message, e);
        }
    }

    /// <summary>
    /// The older LZ4 (5): blocks as Hadoop frames them, each behind the two lengths, high bytes first; some writers left the frame away.
    /// </summary>
    private static int FromHadoop(byte[] page, byte[] bytes)
    {
        var (from, to) = (0, 0);
        while (page.Length - from > 8)
        {
            var whole = BinaryPrimitives.ReadInt32BigEndian(page.AsSpan(from));
            var packed = BinaryPrimitives.ReadInt32BigEndian(page.AsSpan(from + 4));
            if (whole < 0 || whole > bytes.Length - to || packed < 0 || packed > page.Length - from - 8
                || LZ4Codec.Decode(page.AsSpan(from + 8, packed), bytes.AsSpan(to, whole)) != whole)
            {
                break;
            }

            (from, to) = (from + 8 + packed, to + whole);
        }

        return from == page.Length && to == bytes.Length ? to : LZ4Codec.Decode(page, bytes);
    }
}
