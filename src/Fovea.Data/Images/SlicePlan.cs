namespace Fovea.Data.Images;

/// <summary>
/// How MiniCPM-V cuts a picture: the whole of it, scaled to about one slice, and where it is larger than that, cells that tile it. Sizes in pixels.
/// The rule is <c>slice_image</c> of OpenBMB's <c>finetune/dataset.py</c>.
/// </summary>
/// <param name="Source">The whole picture's size.</param>
/// <param name="Columns">Of cells; 0 where it is not cut.</param>
/// <param name="Rows">Of cells.</param>
/// <param name="Refined">Size that is cut into cells; that of the source where it is not cut.</param>
internal sealed record SlicePlan((int Width, int Height) Source, int Columns, int Rows, (int Width, int Height) Refined)
{
    /// <summary>Size of each cell.</summary>
    public (int Width, int Height) Cell => Columns == 0 ? Source : (Refined.Width / Columns, Refined.Height / Rows);

    /// <summary>The whole and its cells.</summary>
    public int Parts => 1 + (Columns * Rows);

    public static SlicePlan For(int width, int height, SliceSettings settings)
    {
        var ratio = (double)width * height / ((double)settings.Resolution * settings.Resolution);
        var multiple = Math.Min((int)Math.Ceiling(ratio), settings.MaxSlices);
        if (multiple <= 1)
        {
            var whole = BestSize(width, height, settings, mayGrow: true);
            return new SlicePlan(whole, 0, 0, whole);
        }

        var (columns, rows) = Grid(Math.Log((double)width / height), multiple, settings.MaxSlices);
        var cell = BestSize(
            (double)Divisible(width, columns) / columns, (double)Divisible(height, rows) / rows, settings, mayGrow: true);
        return new SlicePlan(BestSize(width, height, settings, mayGrow: false), columns, rows, (cell.Width * columns, cell.Height * rows));
    }

    private static (int Columns, int Rows) Grid(double logRatio, int multiple, int most)
    {
        var best = (1, 1);
        var least = double.PositiveInfinity;
        foreach (var cells in (ReadOnlySpan<int>)[multiple - 1, multiple, multiple + 1])
        {
            if (cells == 1 || cells > most)
            {
                continue;
            }

            for (var columns = 1; columns <= cells; columns++)
            {
                if (cells % columns == 0 && Math.Abs(logRatio - Math.Log((double)columns / (cells / columns))) is var error && error < least)
                {
                    (best, least) = ((columns, cells / columns), error);
                }
            }
        }

        return best;
    }

    private static (int Width, int Height) BestSize(double width, double height, SliceSettings settings, bool mayGrow)
    {
        if (mayGrow || width * height > (double)settings.Resolution * settings.Resolution)
        {
            var ratio = width / height;
            height = (int)(settings.Resolution / Math.Sqrt(ratio));
            width = (int)(height * ratio);
        }

        var by = settings.PatchSize * settings.Multiple;
        return (Divisible(width, by), Divisible(height, by));
    }

    // Python rounds halves to even.
    private static int Divisible(double length, int by) => Math.Max((int)Math.Round(length / by, MidpointRounding.ToEven) * by, by);
}
