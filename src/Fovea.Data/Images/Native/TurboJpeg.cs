using System.Runtime.InteropServices;

namespace Fovea.Data.Images.Native;

/// <summary>JPEG through TurboJPEG 2.x or 3.x with the defaults that PIL uses too: accurate integer DCT, smooth chroma upsampling.</summary>
internal static unsafe partial class TurboJpeg
{
    private const int PixelsRgb = 0;
    private const int PixelsCmyk = 11;
    private const int LimitScans = 32768;
    private const int WarningOnly = 0;

    /// <summary>RGB [height, width, 3]; the header says how large and how many components.</summary>
    public static byte[] Decode(byte[] file, ImageHeader header, string name)
    {
        CodecLibraries.Require(CodecLibraries.TurboJpeg);
        var cmyk = header.Components == 4;
        var pixels = new byte[(long)header.Width * header.Height * (cmyk ? 4 : 3)];
        var decoder = InitDecompress();
        if (decoder == 0)
        {
            throw new ImageException(name, "the JPEG decoder does not start (out of memory?)");
        }

        try
        {
            fixed (byte* source = file, target = pixels)
            {
                var format = cmyk ? PixelsCmyk : PixelsRgb;
                if (Decompress(decoder, source, (nuint)file.Length, target, header.Width, 0, header.Height, format, LimitScans) != 0)
                {
                    var reason = Marshal.PtrToStringUTF8(GetErrorString(decoder)) ?? "unknown error";
                    if (GetErrorCode(decoder) != WarningOnly || !IsHarmless(reason))
                    {
                        throw new ImageException(name, $"is truncated or corrupt: {reason}; fetch it again");
                    }
                }
            }
        }
        finally
        {
            _ = Destroy(decoder);
        }

        if (!EndsProperly(file))
        {
            throw new ImageException(name, "is truncated: the JPEG has no end marker; fetch it again");
        }

        return cmyk ? InvertedCmykToRgb(pixels) : pixels;
    }

    /// <summary>Every other warning means that pixels are wrong. Bytes between segments are skipped by all decoders.</summary>
    private static bool IsHarmless(string warning) =>
        warning.Contains("extraneous bytes before marker", StringComparison.Ordinal) ||
        warning.Contains("Unknown Adobe color transform", StringComparison.Ordinal);

    /// <summary>The decoder reports its first warning only, so a harmless one may hide the missing end.</summary>
    private static bool EndsProperly(ReadOnlySpan<byte> file) => file.LastIndexOf([(byte)0xFF, (byte)0xD9]) > file.LastIndexOf([(byte)0xFF, (byte)0xDA]);

    /// <summary>
    /// As PIL: four components are always taken for Adobe's inverted kind, where 255 means no ink. Each colour is light - (255 - stored) light / 255,
    /// where light is the fourth component.
    /// </summary>
    private static byte[] InvertedCmykToRgb(byte[] cmyk)
    {
        var rgb = new byte[cmyk.Length / 4 * 3];
        for (int from = 0, to = 0; from < cmyk.Length; from += 4, to += 3)
        {
            int light = cmyk[from + 3];
            for (var channel = 0; channel < 3; channel++)
            {
                var product = ((255 - cmyk[from + channel]) * light) + 128;
                rgb[to + channel] = (byte)Math.Max(light - (((product >> 8) + product) >> 8), 0);
            }
        }

        return rgb;
    }

    [LibraryImport(CodecLibraries.TurboJpeg, EntryPoint = "tjInitDecompress")]
    private static partial nint InitDecompress();

    [LibraryImport(CodecLibraries.TurboJpeg, EntryPoint = "tjDecompress2")]
    private static partial int Decompress(nint decoder, byte* file, nuint length, byte* pixels, int width, int pitch, int height, int format, int flags);

    [LibraryImport(CodecLibraries.TurboJpeg, EntryPoint = "tjGetErrorStr2")]
    private static partial nint GetErrorString(nint decoder);

    [LibraryImport(CodecLibraries.TurboJpeg, EntryPoint = "tjGetErrorCode")]
    private static partial int GetErrorCode(nint decoder);

    [LibraryImport(CodecLibraries.TurboJpeg, EntryPoint = "tjDestroy")]
    private static partial int Destroy(nint decoder);
}
