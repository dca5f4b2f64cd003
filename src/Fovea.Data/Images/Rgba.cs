namespace Fovea.Data.Images;

/// <summary>Pictures with opacity: splitting what decoders give, and resizing as PIL does, with colours weighed by their opacity.</summary>
internal static class Rgba
{
    /// <summary>[pixels, 4] into colours [pixels, 3] and opacity [pixels], null where all is opaque.</summary>
    public static (byte[] Pixels, byte[]? Alpha) Split(ReadOnlySpan<byte> rgba)
    {
        var pixels = new byte[rgba.Length / 4 * 3];
        var alpha = new byte[rgba.Length / 4];
        for (int i = 0, from = 0, to = 0; i < alpha.Length; i++, from += 4, to += 3)
        {
            pixels[to] = rgba[from];
            pixels[to + 1] = rgba[from + 1];
            pixels[to + 2] = rgba[from + 2];
            alpha[i] = rgba[from + 3];
        }

        return (pixels, alpha.AsSpan().ContainsAnyExcept((byte)255) ? alpha : null);
    }

    /// <summary>PIL's bicubic resize of RGBA; opaque pictures are resized as they are.</summary>
    public static RgbImage Resize(RgbImage image, int width, int height)
    {
        if (image.Alpha is not { } alpha || (width, height) == (image.Width, image.Height))
        {
            return Resizer.Resize(image, width, height, ResizeFilter.PillowBicubic);
        }

        var weighed = new byte[image.Pixels.Length];
        var opacity = new byte[image.Pixels.Length];
        for (var i = 0; i < weighed.Length; i++)
        {
            var product = (image.Pixels[i] * alpha[i / 3]) + 128;
            weighed[i] = (byte)(((product >> 8) + product) >> 8);
            opacity[i] = alpha[i / 3];
        }

        var pixels = Resizer.Resize(image with { Pixels = weighed }, width, height, ResizeFilter.PillowBicubic).Pixels;
        opacity = Resizer.Resize(image with { Pixels = opacity }, width, height, ResizeFilter.PillowBicubic).Pixels;
        var newAlpha = new byte[width * height];
        for (var i = 0; i < pixels.Length; i++)
        {
            var share = newAlpha[i / 3] = opacity[i];
            pixels[i] = share is 0 or 255 ? pixels[i] : (byte)Math.Min(255 * pixels[i] / share, 255);
        }

        return image with { Width = width, Height = height, Pixels = pixels, Alpha = newAlpha };
    }
}
