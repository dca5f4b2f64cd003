using System.Runtime.InteropServices;

namespace Fovea.Data.Images.Native;

/// <summary>
/// WebP through libwebp's decoder of animations, as Pillow reads single pictures too: the first frame on a transparent black canvas, whole files only; alpha is
/// dropped without blending.
/// </summary>
internal static unsafe partial class LibWebp
{
    /// <summary>The versions of the interfaces below; libwebp refuses what it does not know.</summary>
    private const int DecoderAbi = 0x0209;
    private const int DemuxAbi = 0x0107;

    /// <summary>RGB [height, width, 3] and opacity [height, width], null where all is opaque.</summary>
    public static (byte[] Pixels, byte[]? Alpha) Decode(byte[] file, ImageHeader header, string name)
    {
        // The second needs the first.
        CodecLibraries.Require(CodecLibraries.Webp);
        CodecLibraries.Require(CodecLibraries.WebpDemux);
        fixed (byte* source = file)
        {
            var data = new Data { Bytes = source, Size = (nuint)file.Length };
            Features features;
            var isOpaque = GetFeatures(source, (nuint)file.Length, &features, DecoderAbi) == 0 && features.HasAlpha == 0;
            var decoder = NewDecoder(&data, null, DemuxAbi);
            if (decoder == 0)
            {
                throw Bad(file, name);
            }

            try
            {
                Info info;
                byte* canvas;
                int timestamp;
                if (GetInfo(decoder, &info) == 0 || info.Width != header.Width || info.Height != header.Height || GetNext(decoder, &canvas, &timestamp) == 0)
                {
                    throw Bad(file, name);
                }

                var (pixels, alpha) = Rgba.Split(new ReadOnlySpan<byte>(canvas, header.Width * header.Height * 4));
                return (pixels, isOpaque ? null : alpha);
            }
            finally
            {
                Delete(decoder);
            }
        }
    }

    private static ImageException Bad(byte[] file, string name) =>
        new(name, $"is truncated or corrupt: libwebp cannot decode its {file.Length} bytes; fetch it again");

    [LibraryImport(CodecLibraries.Webp, EntryPoint = "WebPGetFeaturesInternal")]
    private static partial int GetFeatures(byte* data, nuint length, Features* features, int version);

    [LibraryImport(CodecLibraries.WebpDemux, EntryPoint = "WebPAnimDecoderNewInternal")]
    private static partial nint NewDecoder(Data* data, void* options, int version);

    [LibraryImport(CodecLibraries.WebpDemux, EntryPoint = "WebPAnimDecoderGetInfo")]
    private static partial int GetInfo(nint decoder, Info* info);

    [LibraryImport(CodecLibraries.WebpDemux, EntryPoint = "WebPAnimDecoderGetNext")]
    private static partial int GetNext(nint decoder, byte** canvas, int* timestamp);

    [LibraryImport(CodecLibraries.WebpDemux, EntryPoint = "WebPAnimDecoderDelete")]
    private static partial void Delete(nint decoder);

#pragma warning disable CS0649 // libwebp fills these
    /// <summary>libwebp's <c>WebPData</c>.</summary>
    private struct Data
    {
        public byte* Bytes;
        public nuint Size;
    }

    /// <summary>libwebp's <c>WebPBitstreamFeatures</c>.</summary>
    private struct Features
    {
        public int Width;
        public int Height;
        public int HasAlpha;
        public int HasAnimation;
        public int Format;
        public fixed uint Reserved[5];
    }

    /// <summary>libwebp's <c>WebPAnimInfo</c>.</summary>
    private struct Info
    {
        public uint Width;
        public uint Height;
        public uint LoopCount;
        public uint Background;
        public uint FrameCount;
        public fixed uint Reserved[4];
    }
#pragma warning restore CS0649
}
