namespace Fovea.Data.Images;

/// <summary>
/// The first frame of a GIF (GIF89a appendix F) on a canvas of the transparent (or first) palette entry, as Pillow shows it. Pillow has a decoder of its own,
/// and so an opinion of its own on damaged files: the frame is whole as soon as its last pixel is, whatever follows, and an early end code does not end it.
/// </summary>
internal sealed class GifDecoder
{
    private const int TableSize = 4096;
    private const int MostCodeBits = 12;

    /// <summary>How much Pillow reads from a file at once.</summary>
    private const int Portion = 65536;

    private static readonly int[] InterlaceStarts = [0, 4, 2, 1];
    private static readonly int[] InterlaceSteps = [8, 8, 4, 2];

    private readonly byte[] file;
    private readonly string name;
    private readonly GifFrame frame;
    private readonly int stride;
    private readonly byte[] canvas;

    // Reading codes: bytes left in the current block, and the bits taken from it.
    private long position;
    private int blockLeft;
    private int bits;
    private int bitCount;

    // Writing pixels.
    private int row;
    private int column;
    private int pass;

    private GifDecoder(byte[] file, ImageHeader header, string name)
    {
        (this.file, this.name, frame, stride) = (file, name, header.Gif!, header.Width);
        position = frame.Offset;
        canvas = new byte[header.Width * header.Height];
        canvas.AsSpan().Fill((byte)frame.Background);
    }

    /// <summary>RGB [height, width, 3].</summary>
    public static byte[] Decode(byte[] file, ImageHeader header, string name)
    {
        if (header.Gif!.CodeBits > MostCodeBits)
        {
            throw new ImageException(name, $"is corrupt: the GIF begins with codes of {header.Gif.CodeBits} bits, {MostCodeBits} is the most");
        }

        var decoder = new GifDecoder(file, header, name);
        decoder.ReadFrame();
        return ToRgb(decoder.canvas, header.Gif.Palette);
    }

    private void ReadFrame()
    {
        var (clear, end) = (1 << frame.CodeBits, (1 << frame.CodeBits) + 1);
        var (lasts, links) = (new byte[TableSize], new ushort[TableSize]);
        var text = new byte[TableSize + 1];
        var (next, codeBits) = (clear + 2, frame.CodeBits + 1);
        var (isFresh, previous, first) = (true, 0, 0);
        while (true)
        {
            var code = TakeCode(codeBits);
            if (code == clear)
            {
                (next, codeBits, isFresh) = (clear + 2, frame.CodeBits + 1, true);
                continue;
            }

            if (code == end)
            {
                RequireMore();
                continue;
            }

            if (isFresh)
            {
                if (code > clear)
                {
                    throw Corrupt();
                }

                (previous, first, isFresh) = (code, code, false);
                text[TableSize] = (byte)code;
                if (Write(text.AsSpan(TableSize)))
                {
                    return;
                }

                continue;
            }

            if (code > next)
            {
                throw Corrupt();
            }

            // The string of a code, from its end to its beginning.
            var (at, link) = (TableSize + 1, code);
            if (code == next)
            {
                text[--at] = (byte)first;
                link = previous;
            }

            while (link >= clear)
            {
                if (at <= 1 || link >= TableSize)
                {
                    throw Corrupt();
                }

                text[--at] = lasts[link];
                link = links[link];
            }

            first = link;
            text[--at] = (byte)link;
            if (next < TableSize)
            {
                (lasts[next], links[next]) = ((byte)link, (ushort)previous);
                if (next == (1 << codeBits) - 1 && codeBits < MostCodeBits)
                {
                    codeBits++;
                }

                next++;
            }

            previous = code;
            if (Write(text.AsSpan(at)))
            {
                return;
            }
        }
    }

    private int TakeCode(int codeBits)
    {
        while (bitCount < codeBits)
        {
            if (blockLeft > 0)
            {
                bits |= file[position++] << bitCount;
                bitCount += 8;
                blockLeft--;
                continue;
            }

            // A block is begun only when all of it is there.
            if (position >= file.Length || position + 1 + file[position] > file.Length)
            {
                throw Truncated();
            }

            blockLeft = file[position++];
        }

        var code = bits & ((1 << codeBits) - 1);
        bits >>= codeBits;
        bitCount -= codeBits;
        return code;
    }

    /// <summary>Behind an end code Pillow goes on only where there is another portion of the file to read.</summary>
    private void RequireMore()
    {
        var portions = (position - frame.Offset + Portion - 1) / Portion;
        if (frame.Offset + (Math.Max(portions, 1) * Portion) >= file.Length)
        {
            throw Truncated();
        }
    }

    /// <summary>True where the frame is full.</summary>
    private bool Write(ReadOnlySpan<byte> text)
    {
        while (text.Length > 0)
        {
            var count = Math.Min(text.Length, frame.Width - column);
            text[..count].CopyTo(canvas.AsSpan(((frame.Y + row) * stride) + frame.X + column));
            text = text[count..];
            column += count;
            if (column < frame.Width)
            {
                return false;
            }

            column = 0;
            row += frame.Interlaced ? InterlaceSteps[pass] : 1;
            while (row >= frame.Height)
            {
                if (!frame.Interlaced || pass == InterlaceStarts.Length - 1)
                {
                    return true;
                }

                row = InterlaceStarts[++pass];
            }
        }

        return false;
    }

    /// <summary>Entries that the palette lacks are black.</summary>
    private static byte[] ToRgb(byte[] indices, byte[]? palette)
    {
        var colors = new byte[256 * 3];
        palette?.CopyTo(colors, 0);
        var pixels = new byte[indices.Length * 3];
        for (var i = 0; i < indices.Length; i++)
        {
            var to = pixels.AsSpan(i * 3, 3);
            if (palette is null)
            {
                to.Fill(indices[i]);
            }
            else
            {
                colors.AsSpan(indices[i] * 3, 3).CopyTo(to);
            }
        }

        return pixels;
    }

    private ImageException Truncated() => new(name, $"is truncated: the GIF's {file.Length} bytes end inside the picture; fetch it again");

    private ImageException Corrupt() => new(name, "is corrupt: the GIF holds a code that there is not yet; fetch it again");
}
