using System.Buffers.Binary;

namespace Fovea.Data.Images;

/// <summary>Walks a GIF's blocks up to its first frame (GIF89a, sections 17 to 23).</summary>
internal static class GifHeader
{
    /// <summary>The size is the logical screen's, enlarged where the first frame reaches beyond it, as PIL does.</summary>
    public static ImageHeader Parse(HeaderReader reader)
    {
        reader.Skip(6);
        var screen = reader.Take(7);
        var width = BinaryPrimitives.ReadUInt16LittleEndian(screen);
        var height = BinaryPrimitives.ReadUInt16LittleEndian(screen[2..]);
        SkipColors(reader, screen[4]);
        var background = 0;
        while (true)
        {
            switch (reader.TakeByte())
            {
                case 0x21:
                    background = SkipExtension(reader) ?? background;
                    break;
                case 0x2C:
                    var frame = reader.Take(8);
                    var right = BinaryPrimitives.ReadUInt16LittleEndian(frame) + BinaryPrimitives.ReadUInt16LittleEndian(frame[4..]);
                    var bottom = BinaryPrimitives.ReadUInt16LittleEndian(frame[2..]) + BinaryPrimitives.ReadUInt16LittleEndian(frame[6..]);
                    return new ImageHeader(ImageFormat.Gif, Math.Max(width, right), Math.Max(height, bottom)) { Background = background };
                case 0x3B:
                    throw reader.Bad("is corrupt: the GIF holds no picture");
                default:
                    break;
            }
        }
    }

    private static void SkipColors(HeaderReader reader, int flags)
    {
        if ((flags & 0x80) != 0)
        {
            reader.Skip(3L << ((flags & 7) + 1));
        }
    }

    /// <summary>Skips one extension; a graphic control extension with a transparent colour gives that colour's index.</summary>
    private static int? SkipExtension(HeaderReader reader)
    {
        var isControl = reader.TakeByte() == 0xF9;
        int? transparent = null;
        for (var length = reader.TakeByte(); length != 0; length = reader.TakeByte())
        {
            if (isControl && length >= 4)
            {
                var data = reader.Take(4);
                transparent = (data[0] & 1) != 0 ? data[3] : null;
                reader.Skip(length - 4);
            }
            else
            {
                reader.Skip(length);
            }
        }

        return transparent;
    }
}
