using System.Xml.Linq;
using Fovea.Runs.Charts;
using Fovea.Events;

namespace Fovea.Tests.Unit.Runs;

public sealed class CurveChartTests
{
    [Fact]
    public void Smoothing_follows_the_formula()
    {
        // Three points: weight = 1.8 (sigmoid(0.15) - 0.5) = 0.067373...
        var weight = 1.8 * ((1 / (1 + Math.Exp(-0.15))) - 0.5);
        var second = (4 * weight) + (2 * (1 - weight));
        var third = (second * weight) + (1 - weight);

        Assert.Equal([4, second, third], CurveChart.Smooth([4, 2, 1]).Select(value => Math.Round(value, 12)), new Near());
        Assert.Empty(CurveChart.Smooth([]));
    }

    [Fact]
    public void The_svg_is_well_formed_and_holds_both_curves()
    {
        var svg = XDocument.Parse(new CurveChart("loss of <a & b>", "loss", Points(40)).ToSvg());

        var curves = svg.Descendants().Where(e => e.Name.LocalName == "polyline").Select(e => e.Attribute("points")!.Value.Split(' ').Length).ToList();
        Assert.Equal(2, curves.Count(count => count == 40));
        Assert.Contains(svg.Descendants(), e => e.Value == "loss of <a & b>");
        Assert.Contains(svg.Descendants(), e => e.Value == "smoothed");
    }

    [Fact]
    public void The_picture_shows_the_curve_where_its_values_are()
    {
        var pixels = new CurveChart("t", "loss", [(0, 1.0), (50, 1.0), (100, 1.0)]).ToPixels();

        // A constant lies in the middle of the chart's height, in pure blue.
        var blue = Enumerable.Range(0, CurveChart.Height).Where(row => Pixel(pixels, 400, row) == (0x1f, 0x77, 0xb4)).ToList();
        Assert.InRange(blue.Count, 1, 4);
        Assert.InRange(blue.Average(), 294, 298);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5000)]
    public void Any_number_of_points_can_be_drawn(int count)
    {
        var chart = new CurveChart("t", "loss", Points(count));

        Assert.Equal(CurveChart.Width * CurveChart.Height * 3, chart.ToPixels().Length);
        Assert.DoesNotContain("NaN", chart.ToSvg());
    }

    [Fact]
    public void Values_that_are_not_numbers_leave_a_gap_instead_of_breaking_the_chart() =>
        Assert.DoesNotContain("NaN", new CurveChart("t", "loss", [(1, 2), (2, double.NaN), (3, double.PositiveInfinity), (4, 1)]).ToSvg());

    [Fact]
    public void A_finished_run_leaves_its_curves_and_an_evaluated_one_both()
    {
        var folder = Directory.CreateTempSubdirectory("fovea-curves").FullName;
        try
        {
            var sink = new LossCurveSink(folder, [new Dictionary<string, object?> { ["loss"] = 3.0, ["step"] = 1L }]);
            sink.Write(new StepLogged(2, 4, 2.0, 1, 1e-4, 0.5));
            Assert.False(File.Exists(Path.Combine(folder, "training_loss.svg")));
            sink.Write(new RunFinished(4, 1, 2, 1));
            Assert.Equal(["training_loss.png", "training_loss.svg"], Names(folder));
            sink.Write(new Evaluated(4, 4, 1, 2.5, 1, 8, 1) { Final = true });
            Assert.Equal(["training_eval_loss.png", "training_eval_loss.svg", "training_loss.png", "training_loss.svg"], Names(folder));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static IEnumerable<string?> Names(string folder) => Directory.EnumerateFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal);

    private static (byte R, byte G, byte B) Pixel(byte[] pixels, int x, int y)
    {
        var at = ((y * CurveChart.Width) + x) * 3;
        return (pixels[at], pixels[at + 1], pixels[at + 2]);
    }

    private static IEnumerable<(double Step, double Value)> Points(int count) =>
        Enumerable.Range(1, count).Select(i => ((double)i * 10, (2 * Math.Exp(-i / 60.0)) + 0.6 + (0.15 * Math.Sin(i * 1.7)) + (0.1 * Math.Sin(i * 5.3))));

    private sealed class Near : IEqualityComparer<double>
    {
        public bool Equals(double x, double y) => Math.Abs(x - y) < 1e-9;

        public int GetHashCode(double value) => 0;
    }
}
