using Fovea.Data.Images.Native;

namespace Fovea.Data.Images;

/// <summary>
/// Reads JPEG, PNG, WebP and GIF (first frame) as 8-bit RGB with the pixels that PIL's <c>Image.open(file).convert("RGB")</c> gives.
/// Safe to call from several threads.
/// </summary>
internal static class ImageReader
{
    private const long MaxFileBytes = 1L << 30;

    /// <exception cref="ImageException">Missing, empty, truncated, corrupt, of another format, or of more pixels than PIL's limit.</exception>
    /// <exception cref="ConfigException">The codec library is missing.</exception>
    public static RgbImage Read(MediaSource source, ExifOrientation orientation = ExifOrientation.Apply) =>
        Decode(ReadBytes(source), source.Name, orientation);

    /// <summary>As <see cref="Read"/>, from bytes; <paramref name="name"/> is what errors call them.</summary>
    public static RgbImage Decode(byte[] bytes, string name, ExifOrientation orientation = ExifOrientation.Apply)
    {
        var header = ImageHeader.Parse(new MemoryStream(bytes, writable: false), name);
        var (pixels, alpha) = header.Format switch
        {
            ImageFormat.Jpeg => (TurboJpeg.Decode(bytes, header, name), null),
            ImageFormat.Png => PngDecoder.Decode(bytes, header, name),
            ImageFormat.Webp => LibWebp.Decode(bytes, header, name),
            _ => (GifDecoder.Decode(bytes, header, name), null),
        };
        var image = new RgbImage(header.Width, header.Height, pixels) { Indexed = header.Indexed, Alpha = alpha };
        return orientation == ExifOrientation.Apply ? Upright.Turn(image, header.Orientation) : image;
    }

    /// <summary>Width and height in pixels from the headers alone, turned as <see cref="Read"/> would turn the picture.</summary>
    /// <exception cref="ImageException">As <see cref="Read"/>, as far as headers show it.</exception>
    public static (int Width, int Height) ReadSize(MediaSource source, ExifOrientation orientation = ExifOrientation.Apply) =>
        ReadHeader(source).Size(orientation);

    /// <summary>What the headers say.</summary>
    /// <exception cref="ImageException">As <see cref="Read"/>, as far as headers show it.</exception>
    public static MediaHeader ReadHeader(MediaSource source)
    {
        using var stream = Open(source);
        try
        {
            var header = ImageHeader.Parse(stream, source.Name);
            return new MediaHeader(source.Name, header.Width, header.Height, header.UprightSize);
        }
        catch (IOException error)
        {
            throw new ImageException(source.Name, $"cannot be read: {error.Message}", error);
        }
    }

    /// <summary>The encoded bytes.</summary>
    internal static byte[] ReadBytes(MediaSource source)
    {
        if (source.Path is null)
        {
            return source.ReadBytes();
        }

        using var stream = Open(source);
        var bytes = new byte[stream.Length];
        try
        {
            stream.ReadExactly(bytes);
        }
        catch (IOException error)
        {
            throw new ImageException(source.Name, $"cannot be read: {error.Message}", error);
        }

        return bytes;
    }

    private static Stream Open(MediaSource source)
    {
        try
        {
            var stream = source.Open();
            if (stream.Length <= MaxFileBytes)
            {
                return stream;
            }

            stream.Dispose();
            throw new ImageException(source.Name, "is larger than 1 GiB, which no picture needs");
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ImageException(source.Name, "there is no such file; check the path and the media folder", error);
        }
        catch (UnauthorizedAccessException error)
        {
            throw new ImageException(source.Name, Directory.Exists(source.Path) ? "is a folder, not a file" : "may not be read (permissions)", error);
        }
        catch (Exception error) when (error is IOException or ArgumentException or NotSupportedException)
        {
            throw new ImageException(source.Name, $"cannot be opened: {error.Message}", error);
        }
    }
}
