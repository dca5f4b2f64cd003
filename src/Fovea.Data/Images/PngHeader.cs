using System.Buffers.Binary;

namespace Fovea.Data.Images;

/// <summary>Walks a PNG's chunks (W3C PNG, third edition).</summary>
internal static class PngHeader
{
    public static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    public static ImageHeader Parse(HeaderReader reader)
    {
        reader.Skip(Signature.Length);
        ImageHeader? header = null;
        while (reader.Position < reader.Length)
        {
            var start = reader.Take(8);
            var length = BinaryPrimitives.ReadUInt32BigEndian(start);
            var type = start[4..8];
            if (header is null)
            {
                if (!type.SequenceEqual("IHDR"u8) || length != 13)
                {
                    throw reader.Bad("is corrupt: the PNG does not begin with its header chunk");
                }

                header = ParseSize(reader.Take(13), reader);
                length = 0;
            }
            else if (type.SequenceEqual("eXIf"u8))
            {
                if (length > reader.Length)
                {
                    throw reader.Bad("is truncated or corrupt: a PNG chunk reaches beyond the file");
                }

                header = header with { Orientation = ExifTag.Orientation(reader.TakeArray((int)length)) };
                length = 0;
            }
            else if (type.SequenceEqual("IEND"u8))
            {
                break;
            }

            reader.Skip(length + 4L);
        }

        return header ?? throw reader.Bad("is truncated: the PNG has no chunks");
    }

    private static ImageHeader ParseSize(ReadOnlySpan<byte> data, HeaderReader reader)
    {
        var width = BinaryPrimitives.ReadUInt32BigEndian(data);
        var height = BinaryPrimitives.ReadUInt32BigEndian(data[4..]);
        if (width > int.MaxValue || height > int.MaxValue)
        {
            throw reader.Bad("is corrupt: the PNG's size is out of range");
        }

        return new ImageHeader(ImageFormat.Png, (int)width, (int)height) { Bits = data[8], ColorType = data[9] };
    }
}
