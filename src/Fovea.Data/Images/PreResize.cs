namespace Fovea.Data.Images;

/// <summary>
/// LLaMA-Factory's resize before a model's own processor (its <c>mm_plugin.py</c>, Qwen2-VL plugin): the area is brought between <paramref name="MinPixels"/>
/// and <paramref name="MaxPixels"/> pixels, sides below 28 are lifted to 28, ratios beyond 200 are squeezed to 180.
/// </summary>
internal sealed record PreResize(int MaxPixels = 768 * 768, int MinPixels = 32 * 32)
{
    private const int MinSide = 28;
    private const int MaxRatio = 200;
    private const int SqueezedRatio = 180;

    /// <summary>Only the area is brought into its limits, as for models whose plugin adds no rule of its own.</summary>
    public bool AreaOnly { get; init; }

    /// <summary>The size in pixels that <see cref="Apply"/> gives a picture of this size.</summary>
    public (int Width, int Height) SizeFor(int width, int height)
    {
        foreach (var step in Steps(width, height))
        {
            (width, height) = (step.Width, step.Height);
        }

        return (width, height);
    }

    /// <summary>
    /// The resized picture, with PIL's pixels. The first steps see the file's own mode: palettes shrink by nearest neighbour, transparent pixels count less.
    /// </summary>
    public RgbImage Apply(RgbImage image)
    {
        foreach (var (width, height, isArea) in Steps(image.Width, image.Height))
        {
            image = isArea && !image.Indexed
                ? Rgba.Resize(image, width, height)
                : Resizer.Resize(image, width, height, isArea ? ResizeFilter.PillowNearest : ResizeFilter.PillowBicubic);
        }

        return image;
    }

    /// <summary>One entry a resize. The area steps come before the conversion to RGB, the others after it.</summary>
    private List<(int Width, int Height, bool IsArea)> Steps(int width, int height)
    {
        var steps = new List<(int, int, bool)>();
        if ((long)width * height > MaxPixels)
        {
            Scale(MaxPixels);
        }

        if ((long)width * height < MinPixels)
        {
            Scale(MinPixels);
        }

        if (AreaOnly)
        {
            return steps;
        }

        if (Math.Min(width, height) < MinSide)
        {
            Add(Math.Max(width, MinSide), Math.Max(height, MinSide), isArea: false);
        }

        if ((double)width / height > MaxRatio)
        {
            Add(height * SqueezedRatio, height, isArea: false);
        }

        if ((double)height / width > MaxRatio)
        {
            Add(width, width * SqueezedRatio, isArea: false);
        }

        return steps;

        void Scale(int area)
        {
            // Truncation to 0 makes the reference fail; a side of one pixel is the nearest thing that works.
            var factor = Math.Sqrt(area / ((double)width * height));
            Add(Math.Max((int)(width * factor), 1), Math.Max((int)(height * factor), 1), isArea: true);
        }

        void Add(int newWidth, int newHeight, bool isArea)
        {
            (width, height) = (newWidth, newHeight);
            steps.Add((width, height, isArea));
        }
    }
}
