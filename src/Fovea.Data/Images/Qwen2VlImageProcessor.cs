namespace Fovea.Data.Images;

/// <summary>
/// Turns pictures into Qwen2-VL's patches with the values of Transformers' fast processor: optional <see cref="PreResize"/>, <see cref="SmartResize"/>,
/// libtorch's antialiased bicubic, (x - 255 mean) / (255 deviation) in float32. Safe to call from several threads.
/// </summary>
public sealed class Qwen2VlImageProcessor
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
        image = PreResize?.Apply(image) ?? image;
        var (width, height) = TargetSize((image.Width, image.Height), name);
        image = Resizer.Resize(image, width, height, Filter);
        return new ProcessedImage(GridOf(width, height), Patches(image));
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
    private float[] Patches(RgbImage image)
    {
        var (patch, merge, frames) = (Settings.PatchSize, Settings.MergeSize, Settings.TemporalPatchSize);
        var area = patch * patch;
        var block = patch * merge;
        var patches = new float[image.Width * image.Height * Channels * frames];
        var to = 0;
        for (var blockY = 0; blockY < image.Height; blockY += block)
        {
            for (var blockX = 0; blockX < image.Width; blockX += block)
            {
                for (var inner = 0; inner < merge * merge; inner++)
                {
                    var top = blockY + (inner / merge * patch);
                    var left = blockX + (inner % merge * patch);
                    for (var channel = 0; channel < Channels; channel++)
                    {
                        var plane = patches.AsSpan(to, area);
                        FillPlane(plane, image, left, top, channel);
                        for (var frame = 1; frame < frames; frame++)
                        {
                            plane.CopyTo(patches.AsSpan(to + (frame * area)));
                        }

                        to += frames * area;
                    }
                }
            }
        }

        return patches;
    }

    private void FillPlane(Span<float> plane, RgbImage image, int left, int top, int channel)
    {
        var patch = Settings.PatchSize;
        var values = normalized.AsSpan(channel * 256, 256);
        for (var y = 0; y < patch; y++)
        {
            var line = image.Pixels.AsSpan((((top + y) * image.Width) + left) * Channels, patch * Channels);
            for (int x = 0, from = channel; x < patch; x++, from += Channels)
            {
                plane[(y * patch) + x] = values[line[from]];
            }
        }
    }
}
