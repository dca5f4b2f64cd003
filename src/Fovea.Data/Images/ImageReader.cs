using Fovea.Data.Images.Native;

namespace Fovea.Data.Images;

/// <summary>
/// Reads JPEG, PNG, WebP and GIF (first frame) as 8-bit RGB with the pixels that PIL's <c>Image.open(file).convert("RGB")</c> gives.
/// Safe to call from several threads.
/// </summary>
public static class ImageReader
{
    private const long MaxFileBytes = 1L << 30;

    /// <exception cref="ImageException">Missing, empty, truncated, corrupt, of another format, or of more pixels than PIL's limit.</exception>
    /// <exception cref="ConfigException">The codec library is missing.</exception>
    public static RgbImage Read(string path, ExifOrientation orientation = ExifOrientation.Apply)
    {
        byte[] bytes;
        using (var file = Open(path))
        {
            bytes = new byte[file.Length];
            try
            {
                file.ReadExactly(bytes);
            }
            catch (IOException error)
            {
                throw new ImageException(path, $"cannot be read: {error.Message}", error);
            }
        }

        return Decode(bytes, path, orientation);
    }

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

    /// <summary>Width and height in pixels from the file's headers alone, turned as <see cref="Read"/> would turn the picture.</summary>
    /// <exception cref="ImageException">As <see cref="Read"/>, as far as headers show it.</exception>
    public static (int Width, int Height) ReadSize(string path, ExifOrientation orientation = ExifOrientation.Apply)
    {
        using var file = Open(path);
        return ReadSize(file, path, orientation);
    }

    /// <summary>As <see cref="ReadSize(string, ExifOrientation)"/>, from bytes.</summary>
    public static (int Width, int Height) ReadSize(byte[] bytes, string name, ExifOrientation orientation = ExifOrientation.Apply) =>
        ReadSize(new MemoryStream(bytes, writable: false), name, orientation);

    private static (int Width, int Height) ReadSize(Stream stream, string name, ExifOrientation orientation)
    {
        try
        {
            var header = ImageHeader.Parse(stream, name);
            return orientation == ExifOrientation.Apply ? header.UprightSize : (header.Width, header.Height);
        }
        catch (IOException error)
        {
            throw new ImageException(name, $"cannot be read: {error.Message}", error);
        }
    }

    private static FileStream Open(string path)
    {
        try
        {
            var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 4096);
            if (file.Length <= MaxFileBytes)
            {
                return file;
            }

            file.Dispose();
            throw new ImageException(path, "is larger than 1 GiB, which no picture needs");
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ImageException(path, "there is no such file; check the path and the media folder", error);
        }
        catch (UnauthorizedAccessException error)
        {
            throw new ImageException(path, Directory.Exists(path) ? "is a folder, not a file" : "may not be read (permissions)", error);
        }
        catch (Exception error) when (error is IOException or ArgumentException or NotSupportedException)
        {
            throw new ImageException(path, $"cannot be opened: {error.Message}", error);
        }
    }
}
