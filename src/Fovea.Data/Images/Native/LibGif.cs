using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Fovea.Data.Images.Native;

/// <summary>The first frame of a GIF through giflib 5, line by line, on a canvas of the transparent (or first) palette entry, as PIL shows it.</summary>
internal static unsafe partial class LibGif
{
    private const int ImageRecord = 2;
    private const int ExtensionRecord = 3;
    private static readonly int[] InterlaceStarts = [0, 4, 2, 1];
    private static readonly int[] InterlaceSteps = [8, 8, 4, 2];

    /// <summary>RGB [height, width, 3], and whether the palette is more than a ramp of greys.</summary>
    public static (byte[] Pixels, bool Indexed) Decode(byte[] file, ImageHeader header, string name)
    {
        CodecLibraries.Require(CodecLibraries.Gif);
        fixed (byte* bytes = file)
        {
            var source = new Source { Bytes = bytes, Length = file.Length };
            int error;
            var gif = Open(&source, &Read, &error);
            if (gif == null)
            {
                throw Bad(error, name);
            }

            try
            {
                SeekFirstFrame(gif, name);
                var indices = ReadFrame(gif, header, name);
                return ToRgb(indices, gif->Frame.Colors != null ? gif->Frame.Colors : gif->Colors);
            }
            finally
            {
                _ = Close(gif, &error);
            }
        }
    }

    private static void SeekFirstFrame(GifFile* gif, string name)
    {
        while (true)
        {
            int record;
            Check(GetRecordType(gif, &record), gif, name);
            if (record == ImageRecord)
            {
                Check(GetImageDescription(gif), gif, name);
                return;
            }

            if (record != ExtensionRecord)
            {
                throw new ImageException(name, "is corrupt: the GIF holds no picture");
            }

            int code;
            byte* block;
            Check(GetExtension(gif, &code, &block), gif, name);
            while (block != null)
            {
                Check(GetExtensionNext(gif, &block), gif, name);
            }
        }
    }

    private static byte[] ReadFrame(GifFile* gif, ImageHeader header, string name)
    {
        var frame = gif->Frame;
        if (frame.Left + frame.Width > header.Width || frame.Top + frame.Height > header.Height || frame.Width <= 0)
        {
            throw new ImageException(name, "is corrupt: the GIF's first frame does not lie on its canvas");
        }

        var indices = new byte[header.Width * header.Height];
        indices.AsSpan().Fill((byte)header.Background);
        var passes = frame.Interlaced != 0 ? 4 : 1;
        fixed (byte* canvas = indices)
        {
            for (var pass = 0; pass < passes; pass++)
            {
                var step = passes == 1 ? 1 : InterlaceSteps[pass];
                for (var row = InterlaceStarts[pass]; row < frame.Height; row += step)
                {
                    Check(GetLine(gif, canvas + ((frame.Top + row) * header.Width) + frame.Left, frame.Width), gif, name);
                }
            }
        }

        return indices;
    }

    /// <summary>Entries beyond the palette, and all without one, are greys of their index, as in PIL.</summary>
    private static (byte[] Pixels, bool Indexed) ToRgb(byte[] indices, ColorMap* map)
    {
        var palette = new byte[256 * 3];
        for (var i = 0; i < 256; i++)
        {
            palette.AsSpan(i * 3, 3).Fill((byte)i);
        }

        var ramp = palette.ToArray();
        if (map != null)
        {
            new ReadOnlySpan<byte>(map->Colors, Math.Min(map->Count, 256) * 3).CopyTo(palette);
        }

        var pixels = new byte[indices.Length * 3];
        for (var i = 0; i < indices.Length; i++)
        {
            var entry = indices[i] * 3;
            pixels[i * 3] = palette[entry];
            pixels[(i * 3) + 1] = palette[entry + 1];
            pixels[(i * 3) + 2] = palette[entry + 2];
        }

        return (pixels, !palette.AsSpan().SequenceEqual(ramp));
    }

    private static void Check(int status, GifFile* gif, string name)
    {
        if (status == 0)
        {
            throw Bad(gif->Error, name);
        }
    }

    private static ImageException Bad(int error, string name) =>
        new(name, $"is truncated or corrupt: {Marshal.PtrToStringUTF8(ErrorString(error)) ?? "unknown GIF error"}; fetch it again");

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Read(GifFile* gif, byte* target, int count)
    {
        var source = (Source*)gif->UserData;
        var available = (int)Math.Min(count, source->Length - source->Position);
        new ReadOnlySpan<byte>(source->Bytes + source->Position, available).CopyTo(new Span<byte>(target, available));
        source->Position += available;
        return available;
    }

    [LibraryImport(CodecLibraries.Gif, EntryPoint = "DGifOpen")]
    private static partial GifFile* Open(void* userData, delegate* unmanaged[Cdecl]<GifFile*, byte*, int, int> read, int* error);

    [LibraryImport(CodecLibraries.Gif, EntryPoint = "DGifCloseFile")]
    private static partial int Close(GifFile* gif, int* error);

    [LibraryImport(CodecLibraries.Gif, EntryPoint = "DGifGetRecordType")]
    private static partial int GetRecordType(GifFile* gif, int* record);

    [LibraryImport(CodecLibraries.Gif, EntryPoint = "DGifGetImageDesc")]
    private static partial int GetImageDescription(GifFile* gif);

    [LibraryImport(CodecLibraries.Gif, EntryPoint = "DGifGetExtension")]
    private static partial int GetExtension(GifFile* gif, int* code, byte** block);

    [LibraryImport(CodecLibraries.Gif, EntryPoint = "DGifGetExtensionNext")]
    private static partial int GetExtensionNext(GifFile* gif, byte** block);

    [LibraryImport(CodecLibraries.Gif, EntryPoint = "DGifGetLine")]
    private static partial int GetLine(GifFile* gif, byte* line, int length);

    [LibraryImport(CodecLibraries.Gif, EntryPoint = "GifErrorString")]
    private static partial nint ErrorString(int error);

    private struct Source
    {
        public byte* Bytes;
        public long Length;
        public long Position;
    }

#pragma warning disable CS0649 // giflib fills these
    /// <summary>giflib's <c>ColorMapObject</c>.</summary>
    private struct ColorMap
    {
        public int Count;
        public int BitsPerPixel;
        public byte Sorted;
        public byte* Colors;
    }

    /// <summary>giflib's <c>GifImageDesc</c>.</summary>
    private struct FrameDescription
    {
        public int Left;
        public int Top;
        public int Width;
        public int Height;
        public byte Interlaced;
        public ColorMap* Colors;
    }

    /// <summary>giflib's <c>GifFileType</c>, version 5.</summary>
    private struct GifFile
    {
        public int ScreenWidth;
        public int ScreenHeight;
        public int ColorResolution;
        public int BackgroundColor;
        public byte AspectByte;
        public ColorMap* Colors;
        public int ImageCount;
        public FrameDescription Frame;
        public void* SavedImages;
        public int ExtensionBlockCount;
        public void* ExtensionBlocks;
        public int Error;
        public void* UserData;
        public void* Private;
    }
#pragma warning restore CS0649
}
