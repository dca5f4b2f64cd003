using System.Runtime.InteropServices;

namespace Fovea.Data.Images.Native;

/// <summary>
/// WebP through libwebp's one-call decoder: the first frame on a black canvas, alpha dropped without blending, as PIL's conversion to RGB does.
/// </summary>
internal static unsafe partial class LibWebp
{
    /// <summary>RGB [height, width, 3] and opacity [height, width], null where all is opaque or the file is an animation.</summary>
    public static (byte[] Pixels, byte[]? Alpha) Decode(byte[] file, ImageHeader header, string name)
    {
        CodecLibraries.Require(CodecLibraries.Webp);
        var frame = header.Frame!;
        return frame.HasAlpha ? Rgba.Split(DecodeRgba(file, header, name)) : (DecodeRgb(file, header, frame, name), null);
    }

    private static byte[] DecodeRgba(byte[] file, ImageHeader header, string name)
    {
        var pixels = new byte[(long)header.Width * header.Height * 4];
        fixed (byte* source = file, target = pixels)
        {
            int width, height;
            var known = GetInfo(source, (nuint)file.Length, &width, &height) != 0 && width == header.Width && height == header.Height;
            if (!known || DecodeRgbaInto(source, (nuint)file.Length, target, (nuint)pixels.Length, header.Width * 4) == null)
            {
                throw Bad(name);
            }
        }

        return pixels;
    }

    private static byte[] DecodeRgb(byte[] file, ImageHeader header, WebpFrame frame, string name)
    {
        var pixels = new byte[(long)header.Width * header.Height * 3];
        var stride = header.Width * 3;
        var start = ((frame.Y * header.Width) + frame.X) * 3;
        fixed (byte* source = file, target = pixels)
        {
            var data = source + frame.Offset;
            var length = (nuint)frame.Length;
            int width, height;
            var known = GetInfo(data, length, &width, &height) != 0 && width == frame.Width && height == frame.Height;
            if (!known || DecodeRgbInto(data, length, target + start, (nuint)(pixels.Length - start), stride) == null)
            {
                throw Bad(name);
            }
        }

        return pixels;
    }

    private static ImageException Bad(string name) => new(name, "is truncated or corrupt: libwebp cannot decode it; fetch it again");

    [LibraryImport(CodecLibraries.Webp, EntryPoint = "WebPGetInfo")]
    private static partial int GetInfo(byte* data, nuint length, int* width, int* height);

    [LibraryImport(CodecLibraries.Webp, EntryPoint = "WebPDecodeRGBAInto")]
    private static partial byte* DecodeRgbaInto(byte* data, nuint length, byte* pixels, nuint pixelBytes, int stride);

    [LibraryImport(CodecLibraries.Webp, EntryPoint = "WebPDecodeRGBInto")]
    private static partial byte* DecodeRgbInto(byte* data, nuint length, byte* pixels, nuint pixelBytes, int stride);
}
