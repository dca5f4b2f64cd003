namespace Fovea.Data.Images;

/// <summary>A PNG's canvas: takes unfiltered rows and keeps RGB and opacity. What no row reaches has the value 0.</summary>
internal sealed class PngPixels
{
    private readonly PngKind kind;
    private readonly int width;
    private readonly byte[] colors;
    private readonly byte[]? alpha;
    private readonly byte[] palette = new byte[256 * 3];

    public PngPixels(PngKind kind, int width, int height, byte[]? palette)
    {
        (this.kind, this.width) = (kind, width);
        colors = new byte[(long)width * height * 3];
        alpha = kind.HasAlpha ? new byte[(long)width * height] : null;

        // Colours that the palette lacks are black.
        palette?.AsSpan(0, palette.Length / 3 * 3).CopyTo(this.palette);
        if (kind is { HasPalette: false, Bits: < 8 })
        {
            for (var value = 0; value < 1 << kind.Bits; value++)
            {
                this.palette.AsSpan(value * 3, 3).Fill((byte)(value * 255 / ((1 << kind.Bits) - 1)));
            }
        }

        if (this.palette.AsSpan(0, 3).ContainsAnyExcept((byte)0))
        {
            for (var i = 0; i < colors.Length; i += 3)
            {
                this.palette.AsSpan(0, 3).CopyTo(colors.AsSpan(i));
            }
        }
    }

    public (byte[] Pixels, byte[]? Alpha) Finish() => (colors, alpha?.AsSpan().ContainsAnyExcept((byte)255) == true ? alpha : null);

    /// <summary>Writes <paramref name="count"/> pixels of a row, <paramref name="step"/> columns apart.</summary>
    public void Put(ReadOnlySpan<byte> row, int count, int x, int y, int step)
    {
        var at = (y * width) + x;
        switch (kind)
        {
            case { ColorType: 2, Bits: 8 } when step == 1:
                row[..(count * 3)].CopyTo(colors.AsSpan(at * 3));
                break;
            case { ColorType: 2 or 6 }:
                PutColors(row, count, at, step);
                break;
            case { ColorType: 4 } or { ColorType: 0, Bits: 8 }:
                PutGrey(row, count, at, step);
                break;
            default:
                PutIndices(row, count, at, step);
                break;
        }
    }

    private void PutColors(ReadOnlySpan<byte> row, int count, int at, int step)
    {
        var sample = kind.Bits / 8;
        var pixel = kind.PixelBits / 8;
        for (int i = 0, from = 0; i < count; i++, from += pixel, at += step)
        {
            var to = at * 3;
            colors[to] = row[from];
            colors[to + 1] = row[from + sample];
            colors[to + 2] = row[from + (2 * sample)];
            if (alpha is not null)
            {
                alpha[at] = row[from + (3 * sample)];
            }
        }
    }

    private void PutGrey(ReadOnlySpan<byte> row, int count, int at, int step)
    {
        var sample = kind.Bits / 8;
        var pixel = kind.PixelBits / 8;
        for (int i = 0, from = 0; i < count; i++, from += pixel, at += step)
        {
            colors.AsSpan(at * 3, 3).Fill(row[from]);
            if (alpha is not null)
            {
                alpha[at] = row[from + sample];
            }
        }
    }

    private void PutIndices(ReadOnlySpan<byte> row, int count, int at, int step)
    {
        var mask = (1 << kind.Bits) - 1;
        for (int i = 0, bit = 0; i < count; i++, bit += kind.Bits, at += step)
        {
            var index = (row[bit >> 3] >> (8 - kind.Bits - (bit & 7))) & mask;
            palette.AsSpan(index * 3, 3).CopyTo(colors.AsSpan(at * 3, 3));
        }
    }
}
