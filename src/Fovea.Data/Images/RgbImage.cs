namespace Fovea.Data.Images;

/// <summary>An 8-bit RGB picture: <paramref name="Pixels"/> is [Height, Width, 3], row-major, without padding.</summary>
internal sealed record RgbImage(int Width, int Height, byte[] Pixels)
{
    /// <summary>The file held palette indices or single bits. PIL resizes such pictures by nearest neighbour, so <see cref="PreResize"/> does too.</summary>
    public bool Indexed { get; init; }

    /// <summary>Opacity [Height, Width], 0..255, or null where everything is opaque. Colours ignore it; only <see cref="PreResize"/> looks at it.</summary>
    public byte[]? Alpha { get; init; }

    /// <summary>The rectangle of <paramref name="width"/> x <paramref name="height"/> pixels whose upper left corner is (x, y); it must lie inside.</summary>
    public RgbImage Crop(int x, int y, int width, int height)
    {
        if (x < 0 || y < 0 || width <= 0 || height <= 0 || x > Width - width || y > Height - height)
        {
            throw new ArgumentException($"the rectangle {width} x {height} at ({x}, {y}) does not lie inside {Width} x {Height}");
        }

        var cut = new byte[width * height * 3];
        for (var row = 0; row < height; row++)
        {
            Pixels.AsSpan(((y + row) * Width + x) * 3, width * 3).CopyTo(cut.AsSpan(row * width * 3));
        }

        return this with { Width = width, Height = height, Pixels = cut, Alpha = null };
    }
}
