using System.Buffers.Binary;

namespace Fovea.Data.Images;

/// <summary>Walks a WebP file's RIFF chunks (RFC 9649): canvas, first frame, orientation.</summary>
internal static class WebpHeader
{
    private const int AlphaFlag = 0x10;
    private const int AnimationFlag = 0x02;

    public static ImageHeader Parse(HeaderReader reader)
    {
        reader.Skip(12);
        (int Width, int Height)? canvas = null;
        WebpFrame? frame = null;
        var (orientation, flags) = (1, 0);
        while (reader.Position + 8 <= reader.Length)
        {
            var (type, length) = TakeChunkStart(reader);
            var next = reader.Position + length + (length & 1);
            if (type.SequenceEqual("VP8X"u8) && length >= 10)
            {
                var data = reader.Take(10);
                flags = data[0];
                canvas = (Int24(data[4..]) + 1, Int24(data[7..]) + 1);
            }
            else if (IsImage(type) && frame is null)
            {
                frame = TakeFrame(reader, type, length, 0, 0);
            }
            else if (type.SequenceEqual("ANMF"u8) && frame is null)
            {
                frame = TakeAnimationFrame(reader, reader.Position + length);
            }
            else if (type.SequenceEqual("EXIF"u8))
            {
                orientation = ExifTag.Orientation(reader.TakeArray((int)Math.Min(length, int.MaxValue)));
            }

            if (next > reader.Length)
            {
                break;
            }

            reader.Position = next;
        }

        if (frame is null)
        {
            throw reader.Bad("is truncated or corrupt: the WebP holds no picture");
        }

        var (width, height) = canvas ?? (frame.Width, frame.Height);
        if (frame.X + frame.Width > width || frame.Y + frame.Height > height)
        {
            throw reader.Bad("is corrupt: the WebP's first frame does not lie on its canvas");
        }

        var isStill = (flags & AnimationFlag) == 0;
        frame = frame with { HasAlpha = isStill && (frame.HasAlpha || (flags & AlphaFlag) != 0) };
        return new ImageHeader(ImageFormat.Webp, width, height, orientation) { Frame = frame };
    }

    private static WebpFrame TakeAnimationFrame(HeaderReader reader, long end)
    {
        var data = reader.Take(16);
        var (x, y) = (2 * Int24(data), 2 * Int24(data[3..]));
        while (reader.Position + 8 <= end)
        {
            var (type, length) = TakeChunkStart(reader);
            if (IsImage(type))
            {
                return TakeFrame(reader, type, length, x, y);
            }

            reader.Skip(length + (length & 1));
        }

        throw reader.Bad("is corrupt: the WebP's first frame is empty");
    }

    private static WebpFrame TakeFrame(HeaderReader reader, byte[] type, long length, int x, int y)
    {
        var offset = reader.Position;
        if (length < 10 || length > reader.Length - offset)
        {
            throw reader.Bad($"is truncated or corrupt: the WebP's picture needs {length} bytes at {offset}, the file has {reader.Length}; fetch it again");
        }

        var data = reader.Take(10);
        int width, height;
        var hasAlpha = false;
        if (type[3] == 'L')
        {
            var bits = BinaryPrimitives.ReadUInt32LittleEndian(data[1..]);
            (width, height) = ((int)(bits & 0x3FFF) + 1, (int)((bits >> 14) & 0x3FFF) + 1);
            hasAlpha = ((bits >> 28) & 1) != 0;
        }
        else
        {
            width = BinaryPrimitives.ReadUInt16LittleEndian(data[6..]) & 0x3FFF;
            height = BinaryPrimitives.ReadUInt16LittleEndian(data[8..]) & 0x3FFF;
        }

        return new WebpFrame(offset, (int)length, x, y, width, height) { HasAlpha = hasAlpha };
    }

    private static (byte[] Type, long Length) TakeChunkStart(HeaderReader reader)
    {
        var start = reader.Take(8);
        return (start[..4].ToArray(), BinaryPrimitives.ReadUInt32LittleEndian(start[4..]));
    }

    private static bool IsImage(ReadOnlySpan<byte> type) => type.SequenceEqual("VP8 "u8) || type.SequenceEqual("VP8L"u8);

    private static int Int24(ReadOnlySpan<byte> data) => data[0] | (data[1] << 8) | (data[2] << 16);
}
