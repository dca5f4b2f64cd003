namespace Fovea.Data.Images;

/// <summary>
/// What the first bytes of a file tell without decoding pixels: stored size in pixels, EXIF orientation (1..8), and what each format needs to be decoded.
/// </summary>
internal sealed record ImageHeader(ImageFormat Format, int Width, int Height, int Orientation = 1)
{
    /// <summary>PIL's limit against decompression bombs: twice 1024^3 / 4 / 3.</summary>
    public const long MaxPixels = 178_956_970;

    /// <summary>JPEG: colour components (1 grey, 3 colour, 4 CMYK or YCCK).</summary>
    public int Components { get; init; }

    /// <summary>JPEG: packed by arithmetic coding instead of Huffman's.</summary>
    public bool IsArithmetic { get; init; }

    /// <summary>GIF: its first frame.</summary>
    public GifFrame? Gif { get; init; }

    /// <summary>Whether PIL opens it in a mode that it resizes by nearest neighbour (palette, single bits).</summary>
    public bool Indexed { get; init; }

    /// <summary>Orientations 5 to 8 exchange the sides.</summary>
    public (int Width, int Height) UprightSize => Orientation >= 5 ? (Height, Width) : (Width, Height);

    /// <exception cref="ImageException">No known format, malformed, cut short or too large.</exception>
    public static ImageHeader Parse(Stream stream, string name)
    {
        var reader = new HeaderReader(stream, name);
        var header = Detect(reader) switch
        {
            ImageFormat.Jpeg => JpegHeader.Parse(reader),
            ImageFormat.Png => PngHeader.Parse(reader),
            ImageFormat.Webp => WebpHeader.Parse(reader),
            _ => GifHeader.Parse(reader),
        };
        if (header.Width <= 0 || header.Height <= 0)
        {
            throw reader.Bad($"has no pixels ({header.Width} x {header.Height})");
        }

        if ((long)header.Width * header.Height > MaxPixels)
        {
            throw reader.Bad($"is {header.Width} x {header.Height} pixels; more than {MaxPixels} are refused (decompression bomb?), make it smaller");
        }

        return header;
    }

    private static ImageFormat Detect(HeaderReader reader)
    {
        if (reader.Length == 0)
        {
            throw reader.Bad("is empty (0 bytes)");
        }

        var count = (int)Math.Min(reader.Length, 12);
        var start = reader.Take(count).ToArray().AsSpan();
        reader.Position = 0;
        return start switch
        {
            [0xFF, 0xD8, 0xFF, ..] => ImageFormat.Jpeg,
            _ when start.StartsWith(PngHeader.Signature) => ImageFormat.Png,
            _ when start.StartsWith("RIFF"u8) && start.Length == 12 && start[8..].SequenceEqual("WEBP"u8) => ImageFormat.Webp,
            _ when start.StartsWith("GIF87a"u8) || start.StartsWith("GIF89a"u8) => ImageFormat.Gif,
            _ => throw reader.Bad($"is not a JPEG, PNG, WebP or GIF file{Guess(start)}; convert it to one of these"),
        };
    }

    private static string Guess(ReadOnlySpan<byte> start)
    {
        var name = start switch
        {
            _ when start.StartsWith("BM"u8) => "BMP",
            _ when start.StartsWith("II*\0"u8) || start.StartsWith("MM\0*"u8) => "TIFF",
            _ when start.Length == 12 && start[4..].StartsWith("ftyp"u8) => "HEIF, AVIF or video",
            _ when start.StartsWith("<"u8) => "HTML, SVG or XML text",
            _ when start.StartsWith("version https"u8[..12]) => "a Git LFS pointer",
            _ => null,
        };
        return name is null ? string.Empty : $" (it looks like {name})";
    }
}
