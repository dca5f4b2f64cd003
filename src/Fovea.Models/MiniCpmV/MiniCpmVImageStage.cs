using System.Globalization;
using Fovea.Data.Images;
using Fovea.Data.Templates;

namespace Fovea.Models.MiniCpmV;

/// <summary>Images for MiniCPM-V: the whole picture and, of large ones, the cells that it is cut into. Safe to call from several threads.</summary>
public sealed class MiniCpmVImageStage : IImageStage
{
    private const int Channels = 3;
    private readonly MiniCpmVConfig config;
    private readonly SliceSettings slicing;
    private readonly PreResize? preResize;
    private readonly IReadOnlyList<double> mean;
    private readonly IReadOnlyList<double> deviation;
    private readonly float[] normalized;

    // The parts of an image are asked for one after the other, by one thread; it is decoded once.
    private readonly ThreadLocal<Decoded?> last = new();

    /// <param name="config">The model's.</param>
    /// <param name="maxSlices">Replaces the configuration's; null keeps it.</param>
    /// <param name="preResize">A resize that comes first; null for none, as in the official trainer.</param>
    public MiniCpmVImageStage(
        MiniCpmVConfig config, IReadOnlyList<double> mean, IReadOnlyList<double> deviation, int? maxSlices = null, PreResize? preResize = null)
    {
        this.config = config;
        this.mean = mean;
        this.deviation = deviation;
        this.preResize = preResize;
        slicing = maxSlices is { } most ? config.Slicing with { MaxSlices = most } : config.Slicing;
        normalized = new float[Channels * 256];
        for (var i = 0; i < normalized.Length; i++)
        {
            normalized[i] = (((i % 256) / 255f) - (float)mean[i / 256]) / (float)deviation[i / 256];
        }
    }

    /// <summary>The same with other limits.</summary>
    public MiniCpmVImageStage With(int? maxSlices, PreResize? resize) => new(config, mean, deviation, maxSlices, resize);

    public int PatchLength => Channels * slicing.PatchSize * slicing.PatchSize;

    public string Identity => string.Create(
        CultureInfo.InvariantCulture,
        $"minicpmv/1 {slicing.MaxSlices} {slicing.Resolution} {slicing.PatchSize} {string.Join(',', mean)} {string.Join(',', deviation)} {preResize}");

    public ImageGrid GridOf(MediaSource image) => LayoutOf(image).Parts[0];

    public ImageLayout LayoutOf(MediaSource image) => LayoutOf(PlanOf(Size(image)));

    /// <summary>The parts of a picture of such a plan, in patches.</summary>
    public ImageLayout LayoutOf(SlicePlan plan)
    {
        var parts = new ImageGrid[plan.Parts];
        Array.Fill(parts, Grid(plan.Cell));
        parts[0] = Grid(plan.Source);
        return new ImageLayout(parts, plan.Columns);
    }

    public int TokensOf(ImageGrid grid) => config.Queries;

    public string TextOf(int number, ImageLayout layout) => Write(number, layout, "<unk>", config.NewSchema);

    /// <summary>The text that stands for an image.</summary>
    /// <param name="number">Its own, from 0.</param>
    /// <param name="token">What stands for one part.</param>
    /// <param name="numbered">Whether the number is written.</param>
    internal string Write(int number, ImageLayout layout, string token, bool numbered)
    {
        var whole = $"<image>{token}</image>";
        var text = numbered ? $"<image_id>{number}</image_id>{whole}" : whole;
        if (layout.Columns == 0)
        {
            return text;
        }

        var row = string.Concat(Enumerable.Repeat(config.NewSchema ? $"<slice>{token}</slice>" : whole, layout.Columns));
        var rows = string.Join('\n', Enumerable.Repeat(row, (layout.Parts.Count - 1) / layout.Columns));
        return config.NewSchema ? text + rows : $"{text}<slice>{rows}</slice>";
    }

    public void Load(MediaSource source, ImageGrid grid, Span<float> patches) => Load(source, 0, grid, patches);

    public void Load(MediaSource source, int part, ImageGrid grid, Span<float> patches)
    {
        var stamp = source.Stamp();
        var image = last.Value is { } known && known.Source.Equals(source) && known.Stamp == stamp && part > 0 ? known : Decode(source, stamp);
        var plan = image.Plan;
        if (part >= plan.Parts || Grid(part == 0 ? plan.Source : plan.Cell) != grid)
        {
            throw new ImageException(source.Name, "its header promises another size than it has");
        }

        last.Value = part < plan.Parts - 1 ? image : null;
        if (part == 0)
        {
            Fill(patches, Resizer.Resize(image.Whole, plan.Source.Width, plan.Source.Height, ResizeFilter.PillowBicubic), (0, 0), plan.Source);
            return;
        }

        var (column, row) = ((part - 1) % plan.Columns, (part - 1) / plan.Columns);
        Fill(patches, image.Refined.Value, (column * plan.Cell.Width, row * plan.Cell.Height), plan.Cell);
    }

    private Decoded Decode(MediaSource source, (long Length, DateTime Written)? stamp)
    {
        var image = source.Read(Orientation);
        image = preResize?.Apply(image) ?? image;
        var plan = PlanOf((image.Width, image.Height));
        return new Decoded(
            source, stamp, plan, image, new(() => Resizer.Resize(image, plan.Refined.Width, plan.Refined.Height, ResizeFilter.PillowBicubic)));
    }

    // The official loader does not look at EXIF; LLaMA-Factory's pictures are turned upright.
    private ExifOrientation Orientation => preResize is null ? ExifOrientation.Ignore : ExifOrientation.Apply;

    private (int Width, int Height) Size(MediaSource source)
    {
        var (width, height) = source.ReadSize(Orientation);
        return preResize?.SizeFor(width, height) ?? (width, height);
    }

    private SlicePlan PlanOf((int Width, int Height) size) => SlicePlan.For(size.Width, size.Height, slicing);

    private ImageGrid Grid((int Width, int Height) size) => new(1, size.Height / slicing.PatchSize, size.Width / slicing.PatchSize);

    /// <summary>Patches row by row; inside one come channel, y, x.</summary>
    private void Fill(Span<float> patches, RgbImage image, (int Left, int Top) corner, (int Width, int Height) size)
    {
        var patch = slicing.PatchSize;
        var area = patch * patch;
        var to = 0;
        for (var top = corner.Top; top < corner.Top + size.Height; top += patch)
        {
            for (var left = corner.Left; left < corner.Left + size.Width; left += patch)
            {
                for (var y = top; y < top + patch; y++)
                {
                    var line = image.Pixels.AsSpan(((y * image.Width) + left) * Channels, patch * Channels);
                    for (var x = 0; x < patch; x++, to++)
                    {
                        patches[to] = normalized[line[x * Channels]];
                        patches[to + area] = normalized[256 + line[(x * Channels) + 1]];
                        patches[to + (2 * area)] = normalized[512 + line[(x * Channels) + 2]];
                    }
                }

                to += 2 * area;
            }
        }
    }

    private sealed record Decoded(MediaSource Source, (long Length, DateTime Written)? Stamp, SlicePlan Plan, RgbImage Whole, Lazy<RgbImage> Refined);
}
