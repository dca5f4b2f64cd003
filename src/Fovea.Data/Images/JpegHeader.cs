namespace Fovea.Data.Images;

/// <summary>Walks a JPEG's markers up to the first scan (ITU T.81 annex B).</summary>
internal static class JpegHeader
{
    public static ImageHeader Parse(HeaderReader reader)
    {
        reader.Skip(2);
        ImageHeader? frame = null;
        var orientation = 1;
        while (true)
        {
            var marker = NextMarker(reader);
            if (marker is 0x01 or (>= 0xD0 and <= 0xD7))
            {
                continue;
            }

            if (marker == 0xD9)
            {
                throw reader.Bad("is corrupt: the JPEG ends before its first scan");
            }

            var length = reader.TakeBigEndian16() - 2;
            if (length < 0)
            {
                throw reader.Bad("is corrupt: a JPEG segment has a negative length");
            }

            if (marker == 0xDA)
            {
                return (frame ?? throw reader.Bad("is corrupt: the JPEG's scan comes before its frame header")) with { Orientation = orientation };
            }

            var next = reader.Position + length;
            if (IsFrame(marker) && frame is null)
            {
                frame = ParseFrame(reader, length);
            }
            else if (marker == 0xE1 && orientation == 1)
            {
                orientation = ExifTag.Orientation(reader.TakeArray(length));
            }

            reader.Skip(next - reader.Position);
        }
    }

    /// <summary>C0..CF, without the Huffman (C4) and arithmetic tables (CC) and the reserved C8.</summary>
    private static bool IsFrame(int marker) => marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC);

    private static int NextMarker(HeaderReader reader)
    {
        while (reader.TakeByte() != 0xFF)
        {
        }

        int marker;
        do
        {
            marker = reader.TakeByte();
        }
        while (marker is 0xFF or 0x00);

        return marker;
    }

    private static ImageHeader ParseFrame(HeaderReader reader, int length)
    {
        if (length < 6)
        {
            throw reader.Bad("is corrupt: the JPEG's frame header is too short");
        }

        var bits = reader.TakeByte();
        var height = reader.TakeBigEndian16();
        var width = reader.TakeBigEndian16();
        var components = reader.TakeByte();
        if (bits != 8)
        {
            throw reader.Bad($"is a JPEG of {bits} bits a channel; only 8 are read, save it with 8");
        }

        if (components is not (1 or 3 or 4))
        {
            throw reader.Bad($"is a JPEG of {components} colour components; 1, 3 or 4 are read");
        }

        return new ImageHeader(ImageFormat.Jpeg, width, height) { Components = components, Bits = bits };
    }
}
