using System.Buffers.Binary;

namespace Fovea.Data.Images;

/// <summary>
/// Finds a WebP file's canvas and orientation among its RIFF chunks (RFC 9649). Whether they are sound is libwebp's to say, and only after the size is known
/// to be bearable.
/// </summary>
internal static class WebpHeader
{
    private const int ExifFlag = 0x08;

    public static ImageHeader Parse(HeaderReader reader)
    {
        reader.Position = 4;
        var end = Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(reader.Take(4)) + 8L, reader.Length);
        reader.Skip(4);
        (int Width, int Height)? canvas = null;
        var (orientation, hasExif) = (1, false);
        while (reader.Position + 8 <= end)
        {
            var start = reader.Take(8);
            var type = start[..4].ToArray();
            var length = BinaryPrimitives.ReadUInt32LittleEndian(start[4..]);
            var next = reader.Position + length + (length & 1);
            if (canvas is null)
            {
                (canvas, hasExif) = TakeCanvas(reader, type, length);
            }
            else if (hasExif && type.AsSpan().SequenceEqual("EXIF"u8))
            {
                orientation = ExifTag.Orientation(reader.TakeArray((int)Math.Min(length, int.MaxValue)));
                break;
            }

            if (next > end)
            {
                break;
            }

            reader.Position = next;
        }

        var (width, height) = canvas ?? throw reader.Bad("is truncated or corrupt: the WebP holds no picture");
        return new ImageHeader(ImageFormat.Webp, width, height, orientation);
    }

    /// <summary>The first chunk has the size: the extended header, or a simple file's only picture.</summary>
    private static ((int Width, int Height) Canvas, bool HasExif) TakeCanvas(HeaderReader reader, ReadOnlySpan<byte> type, long length)
    {
        if (length < 10 && !(type.SequenceEqual("VP8L"u8) && length >= 5))
        {
            throw reader.Bad("is truncated or corrupt: the WebP's first chunk is too short");
        }

        var data = reader.Take(type.SequenceEqual("VP8L"u8) ? 5 : 10);
        if (type.SequenceEqual("VP8X"u8))
        {
            return ((Int24(data[4..]) + 1, Int24(data[7..]) + 1), (data[0] & ExifFlag) != 0);
        }

        if (type.SequenceEqual("VP8L"u8))
        {
            var bits = BinaryPrimitives.ReadUInt32LittleEndian(data[1..]);
            return (((int)(bits & 0x3FFF) + 1, (int)((bits >> 14) & 0x3FFF) + 1), false);
        }

        if (type.SequenceEqual("VP8 "u8))
        {
            return ((BinaryPrimitives.ReadUInt16LittleEndian(data[6..]) & 0x3FFF, BinaryPrimitives.ReadUInt16LittleEndian(data[8..]) & 0x3FFF), false);
        }

        throw reader.Bad("is corrupt: the WebP does not begin with a picture or its extended header");
    }

    private static int Int24(ReadOnlySpan<byte> data) => data[0] | (data[1] << 8) | (data[2] << 16);
}
