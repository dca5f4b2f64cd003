using System.Runtime.InteropServices;

namespace Fovea.Data.Images.Native;

/// <summary>
/// JPEG through TurboJPEG 2.x or 3.x with the defaults that PIL uses too: accurate integer DCT, smooth chroma upsampling. It follows libjpeg's and so Pillow's
/// verdict: warnings are harmless, errors are not, and what matters beyond is whether the decoder wanted more bytes than the file has.
/// </summary>
internal static unsafe partial class TurboJpeg
{
    private const int PixelsRgb = 0;
    private const int PixelsCmyk = 11;
    private const int LimitScans = 32768;
    private const int StopOnWarning = 8192;

    /// <summary>
    /// What is put behind the file: a marker that no decoder knows, repeated for longer than a segment can be. TurboJPEG would go on with grey where a file
    /// ends too early and only warn, of its first fault alone; whoever runs into this gets an error.
    /// </summary>
    private const byte UnknownMarker = 0xF0;
    private const byte OtherUnknownMarker = 0xF1;
    private const int BeyondBytes = 0x10000 + 64;

    private const string PrematureEnd = "Premature end of JPEG file";

    /// <summary>Pillow shows libjpeg so much of a file at once, and arithmetic decoding cannot wait for more.</summary>
    private const int ArithmeticBytes = 65536;

    private static readonly byte[] Noise = MakeNoise();
    private static readonly string[] Warnings =
    [
        "Corrupt JPEG data", "Invalid SOS parameters for sequential JPEG", "Warning: unknown JFIF revision number", "Unknown Adobe color transform code",
        "Inconsistent progression sequence", "Application transferred too many scanlines", PrematureEnd,
    ];

    /// <summary>RGB [height, width, 3]; the header says how large and how many components.</summary>
    public static byte[] Decode(byte[] file, ImageHeader header, string name)
    {
        CodecLibraries.Require(CodecLibraries.TurboJpeg);
        var pixels = new byte[(long)header.Width * header.Height * (header.Components == 4 ? 4 : 3)];
        var length = header.IsArithmetic ? Math.Min(file.Length, ArithmeticBytes) : file.Length;
        var reason = Run(Lengthened(file.AsSpan(0, length), UnknownMarker), header, pixels, LimitScans, name);
        var ranOut = RanOut(reason, UnknownMarker);
        if (reason is not null && !(ranOut && !header.IsArithmetic && IsWhole(file, header, pixels, name)))
        {
            var trouble = ranOut ? $"is truncated: the JPEG's {file.Length} bytes end inside the picture" : $"is corrupt: {reason}";
            throw new ImageException(name, $"{trouble}; fetch it again");
        }

        return header.Components == 4 ? InvertedCmykToRgb(pixels) : pixels;
    }

    /// <summary>
    /// libjpeg's warnings. TurboJPEG's own word for it (tjGetErrorCode) says so of an error behind a warning too; its message is the first warning's or the
    /// error's.
    /// </summary>
    private static bool IsWarning(string reason) => Array.Exists(Warnings, start => reason.StartsWith(start, StringComparison.Ordinal));

    private static bool RanOut(string? reason, int marker) => reason?.Contains($"marker type 0x{marker:x2}", StringComparison.Ordinal) == true;

    /// <summary>
    /// All rows were there, only the end behind them was not. Made to stop where it asks for more, the decoder has written the last row or it has not. Where it
    /// has something else to warn of first, and met a marker that ended the pixels, the rows are whole if they do not depend on what comes behind the file.
    /// </summary>
    private static bool IsWhole(byte[] file, ImageHeader header, byte[] pixels, string name)
    {
        var mark = new byte[pixels.Length / header.Height];
        new Random(mark.Length).NextBytes(mark);
        bool WritesLastRow(byte[] bytes, int flags, out string? reason)
        {
            mark.CopyTo(pixels.AsSpan(pixels.Length - mark.Length));
            reason = Run(bytes, header, pixels, LimitScans | flags, name);
            return !pixels.AsSpan(pixels.Length - mark.Length).SequenceEqual(mark);
        }

        var isWritten = WritesLastRow(file, StopOnWarning, out var reason);
        if (reason == PrematureEnd || !HasMarkerBehindPixels(file))
        {
            return isWritten && reason == PrematureEnd;
        }

        if (!WritesLastRow(Lengthened(file, UnknownMarker), 0, out _))
        {
            return false;
        }

        var rows = pixels.ToArray();
        return WritesLastRow(Lengthened(file, OtherUnknownMarker, Noise), 0, out reason)
            && RanOut(reason, OtherUnknownMarker) && pixels.AsSpan().SequenceEqual(rows);
    }

    /// <summary>Behind the first scan's beginning comes something that is neither pixels nor a restart.</summary>
    private static bool HasMarkerBehindPixels(ReadOnlySpan<byte> file)
    {
        var start = file.IndexOf([(byte)0xFF, (byte)0xDA]) + 2;
        for (var i = start; i < file.Length - 1; i++)
        {
            if (file[i] == 0xFF && file[i + 1] is not (0x00 or 0xFF or (>= 0xD0 and <= 0xD7)))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The file, something that could be pixels, and an unknown marker again and again.</summary>
    private static byte[] Lengthened(ReadOnlySpan<byte> file, byte marker, ReadOnlySpan<byte> pixels = default)
    {
        var longer = new byte[file.Length + pixels.Length + BeyondBytes];
        file.CopyTo(longer);
        pixels.CopyTo(longer.AsSpan(file.Length));
        for (var i = file.Length + pixels.Length; i < longer.Length; i += 2)
        {
            (longer[i], longer[i + 1]) = (0xFF, marker);
        }

        return longer;
    }

    /// <summary>Bytes like packed pixels, with restarts between them.</summary>
    private static byte[] MakeNoise()
    {
        var noise = new byte[4096];
        for (var i = 0; i < noise.Length; i++)
        {
            noise[i] = (i % 66) switch { 64 => 0xFF, 65 => (byte)(0xD0 + (i / 66 % 8)), _ => (byte)(i * 89 % 251) };
        }

        return noise;
    }

    /// <summary>Null, or TurboJPEG's reason for an error. What it only warns of is none, unless the flags say so.</summary>
    private static string? Run(byte[] file, ImageHeader header, byte[] pixels, int flags, string name)
    {
        var decoder = InitDecompress();
        if (decoder == 0)
        {
            throw new ImageException(name, "the JPEG decoder does not start (out of memory?)");
        }

        try
        {
            fixed (byte* source = file, target = pixels)
            {
                var format = header.Components == 4 ? PixelsCmyk : PixelsRgb;
                if (Decompress(decoder, source, (nuint)file.Length, target, header.Width, 0, header.Height, format, flags) == 0)
                {
                    return null;
                }

                var reason = Marshal.PtrToStringUTF8(GetErrorString(decoder)) ?? "unknown error";
                return IsWarning(reason) && (flags & StopOnWarning) == 0 ? null : reason;
            }
        }
        finally
        {
            _ = Destroy(decoder);
        }
    }

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

    [LibraryImport(CodecLibraries.TurboJpeg, EntryPoint = "tjDestroy")]
    private static partial int Destroy(nint decoder);
}
