namespace Fovea.Data.Images;

/// <summary>
/// Walks a JPEG's markers up to the first scan (ITU T.81 annex B), as Pillow does, which stumbles over a few short segments that libjpeg forgives.
/// </summary>
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
            if (HasNoSegment(marker))
            {
                continue;
            }

            if (marker < 0xC0)
            {
                throw reader.Bad($"is corrupt: there is no JPEG marker {marker:X2}; fetch it again");
            }

            var length = Math.Max(reader.TakeBigEndian16() - 2, 0);
            var next = reader.Position + length;
            if (marker == 0xDA)
            {
                reader.Skip(length);
                return (frame ?? throw reader.Bad("is corrupt: the JPEG's scan comes before its frame header")) with { Orientation = orientation };
            }

            if (IsFrame(marker))
            {
                frame = ParseFrame(reader, length) with { IsArithmetic = marker is >= 0xC9 and <= 0xCF };
            }
            else if (marker is >= 0xE0 and <= 0xEF)
            {
                var data = reader.TakeArray(length);
                RequireComplete(reader, marker, data);
                orientation = marker == 0xE1 && orientation == 1 ? ExifTag.Orientation(data) : orientation;
            }

            reader.Skip(next - reader.Position);
        }
    }

    /// <summary>C0..CF, without the Huffman (C4) and arithmetic tables (CC) and the reserved C8.</summary>
    private static bool IsFrame(int marker) => marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC);

    /// <summary>Restarts, beginning and end, and what Pillow takes for such: the reserved C8 and F0 to FD. libjpeg errs where they matter.</summary>
    private static bool HasNoSegment(int marker) => marker is (>= 0xD0 and <= 0xD9) or 0xC8 or (>= 0xF0 and <= 0xFD);

    /// <summary>Bytes that begin no marker are skipped.</summary>
    private static int NextMarker(HeaderReader reader)
    {
        int marker;
        do
        {
            while (reader.TakeByte() != 0xFF)
            {
            }

            do
            {
                marker = reader.TakeByte();
            }
            while (marker == 0xFF);
        }
        while (marker == 0x00);

        return marker;
    }

    /// <summary>The application segments whose first fields Pillow reads without looking whether they are there.</summary>
    private static void RequireComplete(HeaderReader reader, int marker, ReadOnlySpan<byte> data)
    {
        var isShort = marker switch
        {
            0xE0 => data.StartsWith("JFIF"u8) && data.Length < 7,
            0xE2 => data.StartsWith("ICC_PROFILE\0"u8) && data.Length < 14,
            0xEE => data.StartsWith("Adobe"u8) && data.Length < 7,
            _ => false,
        };
        if (isShort)
        {
            throw reader.Bad($"is corrupt: the JPEG's application segment {marker:X2} has {data.Length} bytes only; save it anew");
        }
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

        return new ImageHeader(ImageFormat.Jpeg, width, height) { Components = components };
    }
}
