using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Fovea.Data.Images.Native;

/// <summary>
/// PNG through libpng's simplified interface, which keeps its own errors inside. Only the chunks that carry pixels are shown to it: PIL knows no gamma,
/// colour profile or transparent colour when it converts to RGB, and drops alpha without blending.
/// </summary>
internal static unsafe partial class LibPng
{
    private const uint Version = 1;
    private const uint FormatRgb = 2;
    private const uint FormatRgba = 3;
    private const uint FormatLinearRgb = 6;

    /// <summary>RGB [height, width, 3] and opacity [height, width], null where all is opaque.</summary>
    public static (byte[] Pixels, byte[]? Alpha) Decode(byte[] file, ImageHeader header, string name)
    {
        CodecLibraries.Require(CodecLibraries.Png);
        var hasAlpha = (header.ColorType & 4) != 0;
        if (header.Bits == 16 && header.ColorType != 2)
        {
            var kind = hasAlpha ? "with alpha" : "grey";
            throw new ImageException(name, $"is a 16-bit PNG ({kind}), which has no agreed conversion to 8 bits; save it with 8 bits a channel");
        }

        var source = PixelChunks(file, name);
        if (header.Bits == 16)
        {
            // PIL keeps the upper byte of each sample.
            var samples = MemoryMarshal.Cast<byte, ushort>(Read(source, FormatLinearRgb, header, 6, name));
            var upper = new byte[samples.Length];
            for (var i = 0; i < upper.Length; i++)
            {
                upper[i] = (byte)(samples[i] >> 8);
            }

            return (upper, null);
        }

        return hasAlpha ? Rgba.Split(Read(source, FormatRgba, header, 4, name)) : (Read(source, FormatRgb, header, 3, name), null);
    }

    private static byte[] Read(byte[] source, uint format, ImageHeader header, int pixelBytes, string name)
    {
        var image = new Image { Version = Version };
        try
        {
            fixed (byte* bytes = source)
            {
                if (BeginRead(&image, bytes, (nuint)source.Length) == 0)
                {
                    throw Bad(image, name);
                }

                if (image.Width != header.Width || image.Height != header.Height)
                {
                    throw new ImageException(name, "is corrupt: the PNG names two sizes");
                }

                var pixels = new byte[(long)header.Width * header.Height * pixelBytes];
                image.Format = format;
                fixed (byte* target = pixels)
                {
                    if (FinishRead(&image, null, target, 0, null) == 0)
                    {
                        throw Bad(image, name);
                    }
                }

                return pixels;
            }
        }
        finally
        {
            Free(&image);
        }
    }

    private static ImageException Bad(Image image, string name) =>
        new(name, $"is truncated or corrupt: {Marshal.PtrToStringUTF8((nint)image.Message)}; fetch it again");

    /// <summary>The file with nothing but IHDR, PLTE, IDAT and IEND.</summary>
    private static byte[] PixelChunks(ReadOnlySpan<byte> file, string name)
    {
        using var kept = new MemoryStream(file.Length);
        kept.Write(PngHeader.Signature);
        var at = PngHeader.Signature.Length;
        while (true)
        {
            if (at + 12 > file.Length)
            {
                throw new ImageException(name, $"is truncated: the PNG ends after {file.Length} bytes without its end chunk; fetch it again");
            }

            var length = BinaryPrimitives.ReadUInt32BigEndian(file[at..]);
            var type = Encoding.Latin1.GetString(file.Slice(at + 4, 4));
            if (length > file.Length - at - 12)
            {
                throw new ImageException(name, $"is truncated or corrupt: chunk {type} at byte {at} reaches beyond the {file.Length} bytes; fetch it again");
            }

            var size = (int)length + 12;
            if (type is "IHDR" or "PLTE" or "IDAT" or "IEND")
            {
                kept.Write(file.Slice(at, size));
            }

            if (type == "IEND")
            {
                return kept.ToArray();
            }

            at += size;
        }
    }

    [LibraryImport(CodecLibraries.Png, EntryPoint = "png_image_begin_read_from_memory")]
    private static partial int BeginRead(Image* image, byte* file, nuint length);

    [LibraryImport(CodecLibraries.Png, EntryPoint = "png_image_finish_read")]
    private static partial int FinishRead(Image* image, void* background, void* buffer, int stride, void* colors);

    [LibraryImport(CodecLibraries.Png, EntryPoint = "png_image_free")]
    private static partial void Free(Image* image);

    /// <summary>libpng's <c>png_image</c>.</summary>
    private struct Image
    {
        public nint Opaque;
        public uint Version;
        public uint Width;
        public uint Height;
        public uint Format;
        public uint Flags;
        public uint ColormapEntries;
        public uint WarningOrError;
        public fixed byte Message[64];
    }
}
