namespace Fovea.Runs.Charts;

/// <summary>One number over the steps of a run: the raw curve, pale, under its smoothed form, as LLaMA-Factory's <c>plot_loss</c> draws it.</summary>
internal sealed class CurveChart
{
    public const int Width = 960;
    public const int Height = 600;

    private const double Left = 84;
    private const double Right = Width - 28;
    private const double Top = 62;
    private const double Bottom = Height - 70;

    private static readonly Rgb White = new(255, 255, 255);
    private static readonly Rgb Ink = new(0x26, 0x2b, 0x33);
    private static readonly Rgb Faint = new(0x6b, 0x72, 0x80);
    private static readonly Rgb Grid = new(0xe6, 0xe9, 0xee);
    private static readonly Rgb Blue = new(0x1f, 0x77, 0xb4);

    private readonly string title;
    private readonly string label;
    private readonly (double Step, double Value)[] points;

    /// <param name="title">Stands above the chart.</param>
    /// <param name="label">Name of the number, at the vertical axis.</param>
    /// <param name="points">Steps with their values; values that are not finite are left out.</param>
    public CurveChart(string title, string label, IEnumerable<(double Step, double Value)> points)
    {
        (this.title, this.label) = (title, label);
        this.points = [.. points.Where(point => double.IsFinite(point.Value))];
    }

    public string ToSvg()
    {
        var canvas = new SvgCanvas(Width, Height);
        Draw(canvas);
        return canvas.ToString();
    }

    /// <summary>Height x width x 3 bytes, row-major.</summary>
    public byte[] ToPixels()
    {
        var canvas = new PixelCanvas(Width, Height, White);
        Draw(canvas);
        return canvas.Pixels;
    }

    /// <summary>
    /// Exponential moving average whose weight grows with the number of points n: 1.8 (sigmoid(0.05 n) - 0.5), as LLaMA-Factory's
    /// <c>extras/ploting.py</c>. The first value stands for the past.
    /// </summary>
    public static double[] Smooth(IReadOnlyList<double> values)
    {
        var weight = 1.8 * ((1 / (1 + Math.Exp(-0.05 * values.Count))) - 0.5);
        var smoothed = new double[values.Count];
        var last = values.Count > 0 ? values[0] : 0;
        for (var i = 0; i < values.Count; i++)
        {
            last = (last * weight) + ((1 - weight) * values[i]);
            smoothed[i] = last;
        }

        return smoothed;
    }

    private void Draw(ICanvas canvas)
    {
        canvas.Fill(0, 0, Width, Height, White);
        canvas.Text(Width / 2.0, 36, Fit(canvas, title, 18, Width - 60), 18, Ink, TextAnchor.Middle, bold: true);
        canvas.Text((Left + Right) / 2, Height - 20, "step", 15, Ink, TextAnchor.Middle);
        canvas.Text(26, (Top + Bottom) / 2, label, 15, Ink, TextAnchor.Middle, upward: true);
        if (points.Length == 0)
        {
            canvas.Text((Left + Right) / 2, (Top + Bottom) / 2, "no values", 15, Faint, TextAnchor.Middle);
            return;
        }

        var x = new Axis(points.Min(p => p.Step), points.Max(p => p.Step), Left, Right, margin: 0.02);
        var y = new Axis(points.Min(p => p.Value), points.Max(p => p.Value), Bottom, Top, margin: 0.06);
        DrawAxes(canvas, x, y);

        var smoothed = Smooth([.. points.Select(p => p.Value)]);
        Curve(canvas, [.. points.Select(p => (x.Pixel(p.Step), y.Pixel(p.Value)))], 1.8, 0.4);
        Curve(canvas, [.. points.Select((p, i) => (x.Pixel(p.Step), y.Pixel(smoothed[i])))], 2.4, 1);
        DrawLegend(canvas);
    }

    private static void Curve(ICanvas canvas, (double X, double Y)[] points, double width, double alpha) =>
        canvas.Polyline(points.Length == 1 ? [(points[0].X - 3, points[0].Y), (points[0].X + 3, points[0].Y)] : points, Blue, width, alpha);

    private static void DrawAxes(ICanvas canvas, Axis x, Axis y)
    {
        foreach (var (value, label) in y.Ticks(8, whole: false))
        {
            var at = Math.Round(y.Pixel(value));
            canvas.Fill(Left, at, Right - Left, 1, Grid);
            canvas.Text(Left - 10, at + 5, label, 13.5, Faint, TextAnchor.End);
        }

        foreach (var (value, label) in x.Ticks(10, whole: true))
        {
            var at = Math.Round(x.Pixel(value));
            canvas.Fill(at, Top, 1, Bottom - Top, Grid);
            canvas.Text(at, Bottom + 22, label, 13.5, Faint, TextAnchor.Middle);
        }

        canvas.Fill(Left, Bottom, Right - Left, 1, Faint);
        canvas.Fill(Left, Top, 1, Bottom - Top, Faint);
    }

    private static void DrawLegend(ICanvas canvas)
    {
        const double x = Right - 132;
        const double y = Top + 12;
        canvas.Fill(x - 1, y - 1, 122, 56, Grid);
        canvas.Fill(x, y, 120, 54, White);
        canvas.Polyline([(x + 12, y + 18), (x + 36, y + 18)], Blue, 1.8, 0.4);
        canvas.Text(x + 46, y + 23, "original", 13.5, Ink);
        canvas.Polyline([(x + 12, y + 37), (x + 36, y + 37)], Blue, 2.4);
        canvas.Text(x + 46, y + 42, "smoothed", 13.5, Ink);
    }

    /// <summary>Shortens a text in its middle until it fits.</summary>
    private static string Fit(ICanvas canvas, string text, double size, double width)
    {
        var fitted = text;
        for (var keep = text.Length - 1; keep > 8 && canvas.Measure(fitted, size) > width; keep--)
        {
            fitted = $"{text[..(keep / 2)]}...{text[^(keep - (keep / 2))..]}";
        }

        return fitted;
    }
}
