namespace Fovea.Data.Images;

/// <summary>Turns and mirrors a picture as its EXIF orientation says (EXIF 2.32, tag 0x0112).</summary>
internal static class Upright
{
    public static RgbImage Turn(RgbImage image, int orientation)
    {
        if (orientation is < 2 or > 8)
        {
            return image;
        }

        var (width, height) = (image.Width, image.Height);
        var stride = width * 3;

        // Where the turned picture's first pixel lies in the stored one, and how far one step right and one step down lead.
        var (start, right, down) = orientation switch
        {
            2 => (stride - 3, -3, stride),
            3 => ((height * stride) - 3, -3, -stride),
            4 => ((height - 1) * stride, 3, -stride),
            5 => (0, stride, 3),
            6 => ((height - 1) * stride, -stride, 3),
            7 => ((height * stride) - 3, -stride, -3),
            _ => (stride - 3, stride, -3),
        };
        var (newWidth, newHeight) = orientation >= 5 ? (height, width) : (width, height);
        var turned = new byte[image.Pixels.Length];
        var to = 0;
        for (var y = 0; y < newHeight; y++)
        {
            var from = start + (y * down);
            for (var x = 0; x < newWidth; x++, from += right, to += 3)
            {
                turned[to] = image.Pixels[from];
                turned[to + 1] = image.Pixels[from + 1];
                turned[to + 2] = image.Pixels[from + 2];
            }
        }

        return image with { Width = newWidth, Height = newHeight, Pixels = turned };
    }
}
