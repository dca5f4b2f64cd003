namespace Fovea.Data.Images;

/// <summary>Qwen2-VL's target size (Transformers, <c>smart_resize</c>): sides are multiples of a factor, the area lies between two limits.</summary>
internal static class SmartResize
{
    private const int MaxRatio = 200;

    /// <summary>The new size in pixels. Halves round to even.</summary>
    /// <exception cref="ArgumentException">One side is more than 200 times the other.</exception>
    public static (int Width, int Height) SizeFor(int width, int height, int factor, long minPixels, long maxPixels)
    {
        if (Math.Max(width, height) > (long)MaxRatio * Math.Min(width, height))
        {
            throw new ArgumentException($"{width} x {height} pixels: one side is more than {MaxRatio} times the other; crop or pad it");
        }

        var newWidth = (long)Math.Round((double)width / factor) * factor;
        var newHeight = (long)Math.Round((double)height / factor) * factor;
        if (newWidth * newHeight > maxPixels)
        {
            var shrink = Math.Sqrt((double)((long)width * height) / maxPixels);
            newWidth = (long)Math.Floor(width / shrink / factor) * factor;
            newHeight = (long)Math.Floor(height / shrink / factor) * factor;
        }
        else if (newWidth * newHeight < minPixels)
        {
            var grow = Math.Sqrt((double)minPixels / ((long)width * height));
            newWidth = (long)Math.Ceiling(width * grow / factor) * factor;
            newHeight = (long)Math.Ceiling(height * grow / factor) * factor;
        }

        return ((int)Math.Max(newWidth, factor), (int)Math.Max(newHeight, factor));
    }
}
