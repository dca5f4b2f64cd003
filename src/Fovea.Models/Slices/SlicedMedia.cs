using System.Globalization;
using Fovea.Data.Images;

namespace Fovea.Models.Slices;

/// <summary>Pictures as the whole and, of large ones, the cells that they are cut into. Safe to call from several threads.</summary>
internal sealed class SlicedMedia : IMediaProcessor
{
    private const int Channels = 3;
    private readonly SliceStyle style;
    private readonly SliceSettings slicing;
    private readonly PreResize? preResize;
    private readonly IReadOnlyList<double> mean;
    private readonly IReadOnlyList<double> deviation;
    private readonly float[] normalized;

    /// <param name="preResize">A resize that comes first; null for none, as in the official trainers.</param>
    public SlicedMedia(
        SliceStyle style, SliceSettings slicing, IReadOnlyList<double> mean, IReadOnlyList<double> deviation, PreResize? preResize = null)
    {
        (this.style, this.slicing) = (style, slicing);
        this.mean = mean;
        this.deviation = deviation;
        this.preResize = preResize;
        normalized = style.FusesColours ? Normalization.Table(mean, deviation) : new float[Channels * 256];
        for (var i = 0; !style.FusesColours && i < normalized.Length; i++)
        {
            normalized[i] = (((i % 256) / 255f) - (float)mean[i / 256]) / (float)deviation[i / 256];
        }
    }

    /// <summary>The same with other limits.</summary>
    /// <param name="maxSlices">Null keeps the present one.</param>
    public SlicedMedia With(int? maxSlices, PreResize? resize) =>
        new(style, maxSlices is { } most ? slicing with { MaxSlices = most } : slicing, mean, deviation, resize);

    public int PatchLength => Channels * slicing.PatchSize * slicing.PatchSize;

    public string Identity => string.Create(
        CultureInfo.InvariantCulture,
        $"{style.Name} {slicing.MaxSlices} {slicing.Resolution} {slicing.PatchSize} {string.Join(',', mean)} {string.Join(',', deviation)} {preResize}");

    public MediaPlan Plan(MediaHeader header)
    {
        var (width, height) = header.Size(Orientation);
        return Plan(PlanOf(preResize?.SizeFor(width, height) ?? (width, height)));
    }

    /// <summary>The parts of a picture that is cut so, and the text around them.</summary>
    public MediaPlan Plan(SlicePlan slices)
    {
        var parts = new ImageGrid[slices.Parts];
        Array.Fill(parts, Grid(slices.Cell));
        parts[0] = Grid(slices.Source);
        var tokens = new int[parts.Length];
        for (var i = 0; i < tokens.Length; i++)
        {
            tokens[i] = style.TokensOf(parts[i]);
        }

        return new MediaPlan(parts, tokens)
        {
            Columns = slices.Columns,
            Around = Around(parts.Length - 1, slices.Columns),
            Number = style.Numbers ? ("<image_id>", "</image_id>") : null,
        };
    }

    public void Process(MediaPlan plan, MediaContent content, ReadOnlySpan<Memory<float>> parts)
    {
        if (!AnyWanted(parts))
        {
            return;
        }

        var image = content.Decode(Orientation);
        image = preResize?.Apply(image) ?? image;
        var slices = PlanOf((image.Width, image.Height));
        if (slices.Columns != plan.Columns || !Plan(slices).Parts.SequenceEqual(plan.Parts))
        {
            throw content.HeaderMisleads();
        }

        if (!parts[0].IsEmpty)
        {
            Fill(parts[0].Span, Resizer.Resize(image, slices.Source.Width, slices.Source.Height, style.Filter), (0, 0), slices.Source);
        }

        if (!AnyWanted(parts[1..]))
        {
            return;
        }

        var refined = Resizer.Resize(image, slices.Refined.Width, slices.Refined.Height, style.Filter);
        for (var part = 1; part < parts.Length; part++)
        {
            if (!parts[part].IsEmpty)
            {
                var (row, column) = Math.DivRem(part - 1, slices.Columns);
                Fill(parts[part].Span, refined, (column * slices.Cell.Width, row * slices.Cell.Height), slices.Cell);
            }
        }
    }

    private static bool AnyWanted(ReadOnlySpan<Memory<float>> parts)
    {
        foreach (var part in parts)
        {
            if (!part.IsEmpty)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Tags of the whole and of the cells, row by row.</summary>
    private string[] Around(int cells, int columns)
    {
        var around = new string[cells + 2];
        var (open, close) = style.TagsCells ? ("<slice>", "</slice>") : ("<image>", "</image>");
        around[0] = "<image>";
        around[1] = "</image>";
        for (var cell = 0; cell < cells; cell++)
        {
            around[cell + 1] += (cell > 0 && cell % columns == 0 ? "\n" : string.Empty) + open;
            around[cell + 2] = close;
        }

        if (cells > 0 && !style.TagsCells)
        {
            around[1] = "</image><slice><image>";
            around[^1] += "</slice>";
        }

        return around;
    }

    // LLaMA-Factory's pictures are turned upright.
    private ExifOrientation Orientation => style.TurnsUpright || preResize is not null ? ExifOrientation.Apply : ExifOrientation.Ignore;

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
}
