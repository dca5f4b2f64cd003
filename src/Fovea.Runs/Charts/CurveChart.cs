using ScottPlot;
using ScottPlot.TickGenerators;

namespace Fovea.Runs.Charts;

/// <summary>One number over the steps of a run: the raw curve, pale, under its smoothed form, as LLaMA-Factory's <c>plot_loss</c> draws it.</summary>
internal sealed class CurveChart
{
    public const int Width = 960;
    public const int Height = 600;

    // The data's rectangle stays where it is whatever the labels say, so that charts of several runs can be laid over each other.
    private const float Left = 84;
    private const float Right = 28;
    private const float Top = 62;
    private const float Bottom = 70;

    // Of ticks, where 1 is ScottPlot's own, which leaves little room between labels.
    private const double Density = 0.6;

    private const float RawWidth = 1.8f;
    private const float SmoothWidth = 2.4f;

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

    /// <summary>The file of an SVG picture. Its text is text, set in the shipped font where a viewer has it and in a similar one elsewhere.</summary>
    public string ToSvg()
    {
        using var plot = Draw();
        return plot.GetSvgXml(Width, Height)
            .Replace($"font-family=\"{ChartFont.Name}\"", $"font-family=\"{ChartFont.Name}, Verdana, Helvetica, Arial, sans-serif\"", StringComparison.Ordinal);
    }

    /// <summary>The file of a PNG picture.</summary>
    public byte[] ToPng()
    {
        using var plot = Draw();
        return plot.GetImageBytes(Width, Height, ImageFormat.Png);
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

    private Plot Draw()
    {
        ChartFont.Register();
        var plot = new Plot();
        plot.Layout.Fixed(new PixelPadding(Left, Right, Bottom, Top));
        plot.Title(title, 20);
        plot.XLabel("step", 16);
        plot.YLabel(label, 16);
        plot.Axes.Bottom.TickGenerator = new NumericAutomatic { IntegerTicksOnly = true, TickDensity = Density };
        plot.Axes.Left.TickGenerator = new NumericAutomatic { TickDensity = Density };
        plot.Axes.Margins(0.02, 0.06);
        plot.Grid.MajorLineColor = Color.FromHex("#e6e9ee");
        plot.Axes.Color(Color.FromHex("#262b33"));
        if (points.Length == 0)
        {
            var note = plot.Add.Text("no values", 0, 0);
            (note.LabelAlignment, note.LabelFontSize, note.LabelFontColor) = (Alignment.MiddleCenter, 16, Color.FromHex("#6b7280"));
        }
        else
        {
            double[] steps = [.. points.Select(point => point.Step)], values = [.. points.Select(point => point.Value)];
            var blue = Color.FromHex("#1f77b4");
            AddCurve(plot, "original", steps, values, blue.WithAlpha(0.4), RawWidth);
            AddCurve(plot, "smoothed", steps, Smooth(values), blue, SmoothWidth);
            plot.ShowLegend(Alignment.UpperRight);
            (plot.Legend.ShadowColor, plot.Legend.OutlineColor, plot.Legend.FontSize) = (Colors.Transparent, Color.FromHex("#e6e9ee"), 14);
        }

        plot.Font.Set(ChartFont.Name);
        plot.Axes.Title.Label.Bold = false;
        Fit(plot.Axes.Title.Label, Width - 60);
        return plot;
    }

    private static void AddCurve(Plot plot, string name, double[] steps, double[] values, Color color, float width)
    {
        var curve = plot.Add.Scatter(steps, values, color);
        (curve.LegendText, curve.LineWidth) = (name, width);

        // A single value makes no line; many would hide theirs behind their markers.
        curve.MarkerSize = values.Length == 1 ? 3 * width : 0;
    }

    /// <summary>Shortens a text in its middle until it fits.</summary>
    private static void Fit(LabelStyle style, double width)
    {
        using var paint = Paint.NewDisposablePaint();
        var text = style.Text;
        for (var keep = text.Length - 1; keep > 8 && style.Measure(style.Text, paint).Width > width; keep--)
        {
            style.Text = $"{text[..(keep / 2)]}...{text[^(keep - (keep / 2))..]}";
        }
    }
}
