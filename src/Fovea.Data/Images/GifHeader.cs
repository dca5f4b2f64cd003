using System.Buffers.Binary;

namespace Fovea.Data.Images;

/// <summary>Walks a GIF's blocks up to its first frame (GIF89a, sections 17 to 23), as Pillow does: unknown bytes between blocks are skipped.</summary>
internal static class GifHeader
{
    /// <summary>The size is the logical screen's, enlarged where the first frame reaches beyond it, as PIL does.</summary>
    public static ImageHeader Parse(HeaderReader reader)
    {
        reader.Skip(6);
        var screen = reader.Take(7).ToArray();
        var width = BinaryPrimitives.ReadUInt16LittleEndian(screen);
        var height = BinaryPrimitives.ReadUInt16LittleEndian(screen.AsSpan(2));
        var palette = TakePalette(reader, screen[4]);
        var transparent = 0;
        while (true)
        {
            switch (reader.TakeByte())
            {
                case 0x21:
                    transparent = TakeExtension(reader) ?? transparent;
                    break;
                case 0x2C:
                    var frame = TakeFrame(reader, palette, transparent);
                    var (right, bottom) = (Math.Max(width, frame.X + frame.Width), Math.Max(height, frame.Y + frame.Height));
                    return new ImageHeader(ImageFormat.Gif, right, bottom) { Gif = frame, Indexed = !frame.Grey };
                case 0x3B:
                    throw reader.Bad("is corrupt: the GIF holds no picture");
                default:
                    break;
            }
        }
    }

    private static GifFrame TakeFrame(HeaderReader reader, byte[]? palette, int transparent)
    {
        var place = reader.Take(9).ToArray();
        int Word(int at) => BinaryPrimitives.ReadUInt16LittleEndian(place.AsSpan(at));
        if (Word(4) == 0 || Word(6) == 0)
        {
            throw reader.Bad("is corrupt: the GIF's first frame has no pixels");
        }

        var flags = place[8];
        var local = TakePalette(reader, flags);
        var codeBits = reader.TakeByte();
        return new GifFrame(Word(0), Word(2), Word(4), Word(6), (flags & 0x40) != 0, codeBits, reader.Position)
        {
            // Pillow calls a frame with a ramp of its own grey and yet colours it by the common palette.
            Palette = local ?? palette,
            Grey = (flags & 0x80) != 0 ? local is null : palette is null,
            Background = transparent,
        };
    }

    /// <summary>Null where the flags announce none, or where it says what the indices say.</summary>
    private static byte[]? TakePalette(HeaderReader reader, int flags)
    {
        if ((flags & 0x80) == 0)
        {
            return null;
        }

        var palette = reader.TakeArray(3 << ((flags & 7) + 1));
        for (var i = 0; i < palette.Length; i++)
        {
            if (palette[i] != i / 3)
            {
                return palette;
            }
        }

        return null;
    }

    /// <summary>Skips one extension; a graphic control extension with a transparent colour gives that colour's index.</summary>
    private static int? TakeExtension(HeaderReader reader)
    {
        var kind = reader.TakeByte();
        var data = TakeBlock(reader);
        int? transparent = null;
        switch (kind)
        {
            case 0xF9 when data.Length > 0:
                if (data.Length < 3 || ((data[0] & 1) != 0 && data.Length < 4))
                {
                    throw reader.Bad("is corrupt: the GIF's graphic control extension is too short");
                }

                transparent = (data[0] & 1) != 0 ? data[3] : null;
                break;
            case 0xFE when data.Length == 0:
                return null;
            case 0xFF when data.AsSpan().StartsWith("NETSCAPE2.0"u8):
                _ = TakeBlock(reader);
                break;
            default:
                break;
        }

        while (TakeBlock(reader).Length > 0)
        {
        }

        return transparent;
    }

    /// <summary>One block of data; an empty one ends them. Pillow looks for the end anew behind an empty first one, except in comments.</summary>
    private static byte[] TakeBlock(HeaderReader reader) => reader.TakeArray(reader.TakeByte());
}
