namespace Fovea.Data.Images;

/// <summary>
/// Turns pictures into Qwen2-VL's patches with the values of Transformers' fast processor: optional <see cref="PreResize"/>, <see cref="SmartResize"/>,
/// libtorch's antialiased bicubic, (x - 255 mean) / (255 deviation) in float32. Safe to call from several threads.
/// </summary>
internal sealed class Qwen2VlImageProcessor
{
    private const int Channels = 3;
    private readonly float[] normalized;

    public Qwen2VlImageProcessor(Qwen2VlImageSettings settings, PreResize? preResize = null, ResizeFilter filter = ResizeFilter.TorchBicubic)
    {
        (Settings, PreResize, Filter) = (settings, preResize, filter);
        normalized = Normalization.Table(settings.Mean, settings.Deviation);
    }

    public Qwen2VlImageSettings Settings { get; }

    /// <summary>LLaMA-Factory's resize that comes first, or null.</summary>
    public PreResize? PreResize { get; }

    /// <summary><see cref="ResizeFilter.TorchBicubic"/> gives the fast processor's pixels, <see cref="ResizeFilter.PillowBicubic"/> the slow one's.</summary>
    public ResizeFilter Filter { get; }

    /// <summary>Values of one patch: channels x frames x patch x patch (1176 as published).</summary>
    public int PatchValues => Channels * Settings.TemporalPatchSize * Settings.PatchSize * Settings.PatchSize;

    /// <summary>The processor that a model folder describes.</summary>
    /// <exception cref="ConfigException">Its configuration is missing or wrong.</exception>
    public static Qwen2VlImageProcessor Load(string modelFolder, PreResize? preResize = null) => new(Qwen2VlImageSettings.Load(modelFolder), preResize);

    /// <summary>The grid that <see cref="Process"/> gives a picture of this size in pixels; needs no pixels.</summary>
    /// <exception cref="ImageException">One side is more than 200 times the other.</exception>
    public ImageGrid GridFor(int width, int height, string? name = null)
    {
        var (newWidth, newHeight) = TargetSize(PreResize?.SizeFor(width, height) ?? (width, height), name);
        return GridOf(newWidth, newHeight);
    }

    /// <summary>Patches [Grid.Patches, <see cref="PatchValues"/>]; <paramref name="name"/> is what errors call the picture.</summary>
    /// <exception cref="ImageException">One side is more than 200 times the other.</exception>
    public ProcessedImage Process(RgbImage image, string? name = null)
    {
        var grid = GridFor(image.Width, image.Height, name);
        var patches = GC.AllocateUninitializedArray<float>(grid.Patches * PatchValues);
        ProcessInto(image, patches, name);
        return new ProcessedImage(grid, patches);
    }

    /// <summary>As <see cref="Process"/>, into memory of the caller's, for instance a batch's: as long as <see cref="GridFor"/> foretells.</summary>
    /// <exception cref="ArgumentException">The memory has another length.</exception>
    public ImageGrid ProcessInto(RgbImage image, Span<float> patches, string? name = null)
    {
        image = PreResize?.Apply(image) ?? image;
        var (width, height) = TargetSize((image.Width, image.Height), name);
        var grid = GridOf(width, height);
        if (patches.Length != (long)grid.Patches * PatchValues)
        {
            throw new ArgumentException($"{grid.Patches} patches of {PatchValues} values do not fit into {patches.Length} values", nameof(patches));
        }

        FillPatches(patches, Resizer.Resize(image, width, height, Filter));
        return grid;
    }

    private (int Width, int Height) TargetSize((int Width, int Height) size, string? name)
    {
        try
        {
            return SmartResize.SizeFor(size.Width, size.Height, Settings.PatchSize * Settings.MergeSize, Settings.MinPixels, Settings.MaxPixels);
        }
        catch (ArgumentException error)
        {
            throw new ImageException(name, error.Message, error);
        }
    }

    private ImageGrid GridOf(int width, int height) => new(1, height / Settings.PatchSize, width / Settings.PatchSize);

    /// <summary>
    /// Patches follow each other by blocks of merge x merge, row by row; inside one come channel, frame, y, x. A still picture fills every frame.
    /// </summary>
    private void FillPatches(Span<float> patches, RgbImage image)
    {
        var (patch, merge) = (Settings.PatchSize, Settings.MergeSize);
        var block = patch * merge;
        var to = 0;
        for (var blockY = 0; blockY < image.Height; blockY += block)
        {
            for (var blockX = 0; blockX < image.Width; blockX += block)
            {
                for (var inner = 0; inner < merge * merge; inner++)
                {
                    FillPatch(patches.Slice(to, PatchValues), image, blockX + (inner % merge * patch), blockY + (inner / merge * patch));
                    to += PatchValues;
                }
            }
        }
    }

    private void FillPatch(Span<float> values, RgbImage image, int left, int top)
    {
        var (patch, frames) = (Settings.PatchSize, Settings.TemporalPatchSize);
        var area = patch * patch;
        var red = values[..area];
        var green = values.Slice(frames * area, area);
        var blue = values.Slice(2 * frames * area, area);
        var to = 0;
        for (var y = top; y < top + patch; y++)
        {
            var line = image.Pixels.AsSpan(((y * image.Width) + left) * Channels, patch * Channels);
            for (var x = 0; x <= line.Length - Channels; x += Channels, to++)
            {
                red[to] = normalized[line[x]];
                green[to] = normalized[256 + line[x + 1]];
                blue[to] = normalized[512 + line[x + 2]];
            }
        }

        for (var start = 0; start < values.Length; start += frames * area)
        {
            for (var frame = 1; frame < frames; frame++)
            {
                values.Slice(start, area).CopyTo(values[(start + (frame * area))..]);
            }
        }
    }
}
