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

        var swaps = orientation >= 5;
        return image with
        {
            Width = swaps ? image.Height : image.Width,
            Height = swaps ? image.Width : image.Height,
            Pixels = Turn(image.Pixels, 3, image.Width, image.Height, orientation),
            Alpha = image.Alpha is null ? null : Turn(image.Alpha, 1, image.Width, image.Height, orientation),
        };
    }

    private static byte[] Turn(byte[] pixels, int channels, int width, int height, int orientation)
    {
        var stride = width * channels;
        var (lastRow, lastColumn) = ((height - 1) * stride, stride - channels);

        // Where the turned picture's first pixel lies in the stored one, and how far one step right and one step down lead.
        var (start, right, down) = orientation switch
        {
            2 => (lastColumn, -channels, stride),
            3 => (lastRow + lastColumn, -channels, -stride),
            4 => (lastRow, channels, -stride),
            5 => (0, stride, channels),
            6 => (lastRow, -stride, channels),
            7 => (lastRow + lastColumn, -stride, -channels),
            _ => (lastColumn, stride, -channels),
        };
        var (newWidth, newHeight) = orientation >= 5 ? (height, width) : (width, height);
        var turned = new byte[pixels.Length];
        var to = 0;
        for (var y = 0; y < newHeight; y++)
        {
            var from = start + (y * down);
            for (var x = 0; x < newWidth; x++, from += right)
            {
                for (var channel = 0; channel < channels; channel++)
                {
                    turned[to++] = pixels[from + channel];
                }
            }
        }

        return turned;
    }
}
