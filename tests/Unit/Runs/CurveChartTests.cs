using System.Xml.Linq;
using Fovea.Data.Images;
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
    public void The_svg_is_well_formed_and_holds_both_curves_and_all_text()
    {
        var svg = XDocument.Parse(new CurveChart("loss of <a & b>", "loss", Points(40)).ToSvg());

        var curves = svg.Descendants().Where(e => e.Attribute("stroke")?.Value is "#1F77B4").Select(e => e.Attribute("d")!.Value).ToList();
        Assert.Equal(2, curves.Count(path => path.Count(c => c is 'M' or 'L') == 40));
        var texts = svg.Descendants().Where(e => e.Name.LocalName == "text").ToList();
        string[] words = ["loss of <a & b>", "step", "loss", "original", "smoothed", "400"];
        Assert.Superset(words.ToHashSet(), texts.Select(e => e.Value.Trim()).ToHashSet());
        Assert.All(texts, e => Assert.StartsWith("DejaVu Sans, ", e.Attribute("font-family")!.Value));
    }

    [Fact]
    public void The_picture_shows_the_curve_where_its_values_are()
    {
        var picture = Pixels(new CurveChart("t", "loss", [(0, 1.0), (50, 1.0), (100, 1.0)]));

        // A constant lies in the middle of the chart's height, in pure blue.
        var blue = Enumerable.Range(0, CurveChart.Height).Where(row => Pixel(picture, 400, row) == (0x1f, 0x77, 0xb4)).ToList();
        Assert.InRange(blue.Count, 1, 4);
        Assert.InRange(blue.Average(), 294, 298);
    }

    // The font travels with the program: these are glyphs, each with ink of its own, on a machine with fonts and on one without.
    [Fact]
    public void Text_is_drawn_with_the_shipped_font()
    {
        var none = Ink(string.Empty);
        var dots = Ink("....");
        var letters = Ink("WWWW");

        Assert.Equal(0, none);
        Assert.InRange(dots, 1, 100);
        Assert.InRange(letters, 4 * dots, 100 * dots);
        Assert.NotEqual(Ink("Ж"), Ink("模"));
        Assert.Equal(Ink("模"), Ink("型"));
    }

    [Fact]
    public void A_title_wider_than_the_chart_is_shortened_in_its_middle()
    {
        var svg = XDocument.Parse(new CurveChart($"begin {new string('m', 500)} end", "loss", Points(3)).ToSvg());

        var title = svg.Descendants().Single(e => e.Name.LocalName == "text" && e.Value.Contains("begin", StringComparison.Ordinal)).Value.Trim();
        Assert.Matches("^begin m+[.]{3}m+ end$", title);
        Assert.InRange(title.Length, 20, 60);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5000)]
    public void Any_number_of_points_can_be_drawn(int count)
    {
        var chart = new CurveChart("t", "loss", Points(count));

        Assert.Equal((CurveChart.Width, CurveChart.Height), (Pixels(chart).Width, Pixels(chart).Height));
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

    private static RgbImage Pixels(CurveChart chart) => ImageReader.Decode(chart.ToPng(), "chart");

    /// <summary>Dark pixels above the chart.</summary>
    private static int Ink(string title)
    {
        var picture = Pixels(new CurveChart(title, "loss", Points(3)));
        return Enumerable.Range(0, 55 * CurveChart.Width).Count(at => picture.Pixels[3 * at] < 128);
    }

    private static (byte R, byte G, byte B) Pixel(RgbImage picture, int x, int y)
    {
        var at = ((y * picture.Width) + x) * 3;
        return (picture.Pixels[at], picture.Pixels[at + 1], picture.Pixels[at + 2]);
    }

    private static IEnumerable<(double Step, double Value)> Points(int count) =>
        Enumerable.Range(1, count).Select(i => ((double)i * 10, (2 * Math.Exp(-i / 60.0)) + 0.6 + (0.15 * Math.Sin(i * 1.7)) + (0.1 * Math.Sin(i * 5.3))));

    private sealed class Near : IEqualityComparer<double>
    {
        public bool Equals(double x, double y) => Math.Abs(x - y) < 1e-9;

        public int GetHashCode(double value) => 0;
    }
}
