using System.Diagnostics.CodeAnalysis;
using System.IO.Compression;

namespace Fovea.Data.Images;

/// <summary>
/// PNG with the pixels of Pillow, which has a decoder of its own on top of zlib and so an opinion of its own on damaged files: the picture is whole as soon as
/// its last row is, whatever follows. Gamma, profiles and transparent colours change nothing, alpha is dropped without blending, of 16 bits the upper 8 stay.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "What it reads lies in memory.")]
internal sealed class PngDecoder
{
    private static readonly (int Column, int Row, int ColumnStep, int RowStep)[] Passes =
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];

    private readonly HeaderReader reader;
    private readonly PngChunks chunks;
    private readonly PngKind kind;
    private readonly PngData packed;
    private readonly PngPixels pixels;
    private readonly (int Left, int Top, int Width, int Height) box;
    private bool hasRow;

    private PngDecoder(byte[] file, ImageHeader header, string name)
    {
        reader = new HeaderReader(new MemoryStream(file, writable: false), name);
        chunks = new PngChunks(reader);
        packed = new PngData(reader, chunks, chunks.FindPicture());
        kind = chunks.Kind!;
        if (kind is { Bits: 16, ColorType: 0 })
        {
            throw reader.Bad("is a grey PNG of 16 bits, of which PIL makes white where a value is above 255; save it with 8 bits");
        }

        if (chunks.Palette?.Length / 3 > 256)
        {
            throw reader.Bad($"is corrupt: the PNG's palette has {chunks.Palette!.Length / 3} colours, 256 is the most");
        }

        var (left, top, right, bottom) = chunks.Box ?? (0, 0, header.Width, header.Height);
        box = ((int)left, (int)top, (int)(right - left), (int)(bottom - top));
        if (box.Width == 0 || box.Height == 0)
        {
            throw reader.Bad("is corrupt: the PNG's first frame has no pixels");
        }

        pixels = new PngPixels(kind, header.Width, header.Height, chunks.Palette);
    }

    /// <summary>RGB [height, width, 3] and opacity [height, width], null where all is opaque.</summary>
    public static (byte[] Pixels, byte[]? Alpha) Decode(byte[] file, ImageHeader header, string name)
    {
        var decoder = new PngDecoder(file, header, name);
        decoder.ReadRows();
        decoder.packed.SkipChunk();
        decoder.chunks.CheckTail();
        return decoder.pixels.Finish();
    }

    private void ReadRows()
    {
        using var inflater = new ZLibStream(packed, CompressionMode.Decompress, leaveOpen: true);
        var longest = RowBytes(box.Width) + 1;
        var (row, previous) = (new byte[longest], new byte[longest]);
        if (!chunks.Interlaced)
        {
            for (var y = 0; y < box.Height && TryRead(inflater, row); y++)
            {
                Unfilter(row, previous);
                pixels.Put(row.AsSpan(1), box.Width, box.Left, box.Top + y, 1);
                (row, previous) = (previous, row);
            }

            return;
        }

        // As Pillow, which forgets where a frame lies when it is interlaced.
        foreach (var (column, firstRow, columnStep, rowStep) in Passes)
        {
            var width = (box.Width - column + columnStep - 1) / columnStep;
            if (width <= 0)
            {
                continue;
            }

            Array.Clear(previous);
            var bytes = RowBytes(width) + 1;
            for (var y = firstRow; y < box.Height; y += rowStep)
            {
                if (!TryRead(inflater, row.AsSpan(0, bytes)))
                {
                    return;
                }

                Unfilter(row.AsSpan(0, bytes), previous.AsSpan(0, bytes));
                pixels.Put(row.AsSpan(1, bytes - 1), width, column, y, columnStep);
                (row, previous) = (previous, row);
            }
        }
    }

    private int RowBytes(int width) => (int)((((long)width * kind.PixelBits) + 7) / 8);

    /// <summary>False where the packed data end between two rows: Pillow leaves the rest black.</summary>
    private bool TryRead(ZLibStream inflater, Span<byte> row)
    {
        var filled = 0;
        while (filled < row.Length)
        {
            int read;
            try
            {
                read = inflater.Read(row[filled..]);
            }
            catch (Exception error) when (error is InvalidDataException or IOException)
            {
                throw reader.Bad("is truncated or corrupt: its packed pixels make no sense; fetch it again");
            }

            if (read == 0)
            {
                return hasRow && filled == 0 && !packed.RanOut ? false : throw reader.Bad(chunks.Truncated);
            }

            filled += read;
        }

        hasRow = true;
        return true;
    }

    /// <summary>W3C PNG 9.2, in place; the first byte of a row says which filter.</summary>
    private void Unfilter(Span<byte> row, ReadOnlySpan<byte> above)
    {
        var step = (kind.PixelBits + 7) / 8;
        switch (row[0])
        {
            case 0:
                return;
            case 1:
                for (var i = step + 1; i < row.Length; i++)
                {
                    row[i] += row[i - step];
                }

                return;
            case 2:
                for (var i = 1; i < row.Length; i++)
                {
                    row[i] += above[i];
                }

                return;
            case 3:
                for (var i = 1; i < row.Length; i++)
                {
                    row[i] += (byte)(((i > step ? row[i - step] : 0) + above[i]) / 2);
                }

                return;
            case 4:
                Paeth(row, above, step);
                return;
            default:
                throw reader.Bad("is corrupt: the PNG has a row filter that there is not; fetch it again");
        }
    }

    private static void Paeth(Span<byte> row, ReadOnlySpan<byte> above, int step)
    {
        above = above[..row.Length];
        for (var i = 1; i < Math.Min(step + 1, row.Length); i++)
        {
            row[i] += above[i];
        }

        for (var i = step + 1; i < row.Length; i++)
        {
            int left = row[i - step], up = above[i], corner = above[i - step];
            var (toLeft, toUp, toCorner) = (Math.Abs(up - corner), Math.Abs(left - corner), Math.Abs(left + up - (2 * corner)));
            row[i] += (byte)(toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner);
        }
    }
}
