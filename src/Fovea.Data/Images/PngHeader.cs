namespace Fovea.Data.Images;

/// <summary>Size, kind and orientation of a PNG.</summary>
internal static class PngHeader
{
    public static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    public static ImageHeader Parse(HeaderReader reader)
    {
        var chunks = new PngChunks(reader);
        var length = chunks.FindPicture();
        var kind = chunks.Kind ?? throw reader.Bad("is corrupt: the PNG has no header, or bits and colours that no PNG has");
        if (chunks.Width > int.MaxValue || chunks.Height > int.MaxValue)
        {
            throw reader.Bad($"is {chunks.Width} x {chunks.Height} pixels, which nobody can read");
        }

        var exif = chunks.Exif ?? LateExif(reader, chunks, length);
        var orientation = exif is null ? 1 : ExifTag.Orientation(exif);
        return new ImageHeader(ImageFormat.Png, (int)chunks.Width, (int)chunks.Height, orientation) { Indexed = kind.Indexed };
    }

    /// <summary>An eXIf chunk behind the picture. What is wrong there shows when the pixels are read.</summary>
    private static byte[]? LateExif(HeaderReader reader, PngChunks chunks, long length)
    {
        while (true)
        {
            reader.Position = Math.Min(reader.Position + length + 4, reader.Length);
            if (chunks.Next() is not var (type, next) || type == "IEND")
            {
                return null;
            }

            if (type == "eXIf")
            {
                return next > reader.Length - reader.Position ? null : reader.TakeArray((int)next);
            }

            length = next;
        }
    }
}
