namespace Fovea.Data.Images;

/// <summary>A kind of PNG (W3C PNG 11.2.1): bits a sample and colour type (0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha).</summary>
internal sealed record PngKind(int Bits, int ColorType)
{
    public bool HasPalette => ColorType == 3;

    public bool HasAlpha => (ColorType & 4) != 0;

    public int PixelBits => Bits * (ColorType switch { 2 => 3, 4 => 2, 6 => 4, _ => 1 });

    /// <summary>The bytes that a tRNS chunk must have for Pillow to take it.</summary>
    public int TransparencyBytes => ColorType switch { 0 => 2, 2 => 6, _ => 0 };

    /// <summary>PIL resizes palettes and single bits by nearest neighbour.</summary>
    public bool Indexed => HasPalette || Bits == 1;

    /// <summary>Null where the standard knows no such combination.</summary>
    public static PngKind? Of(int bits, int colorType)
    {
        var isKnown = colorType switch
        {
            0 => bits is 1 or 2 or 4 or 8 or 16,
            3 => bits is 1 or 2 or 4 or 8,
            2 or 4 or 6 => bits is 8 or 16,
            _ => false,
        };
        return isKnown ? new PngKind(bits, colorType) : null;
    }
}
