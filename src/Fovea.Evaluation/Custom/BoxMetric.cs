using System.Globalization;

namespace Fovea.Evaluation.Custom;

/// <summary>How much a box in the answer overlaps the expected one.</summary>
internal sealed class BoxMetric(MetricArguments arguments) : CustomMetric
{
    private readonly double threshold = arguments.Number("threshold", 0.5, 0, 1);
    private readonly bool sizes = arguments.Text("expected") switch
    {
        null or "xyxy" => false,
        "xywh" => true,
        var other => throw new ConfigException($"--metric-arg expected={other}: xyxy or xywh is expected"),
    };

    public override string Name => string.Create(CultureInfo.InvariantCulture, $"acc@{threshold}");

    public override string Rule => "the first four numbers of the answer are a box (left, top, right, bottom) whose intersection over union with an expected "
        + $"one ({(sizes ? "left, top, width, height" : "left, top, right, bottom")}, in the same unit) is at least "
        + $"{threshold.ToString(CultureInfo.InvariantCulture)}; iou: its mean; per cent";

    public override IReadOnlyList<string> Others => ["iou"];

    public override CustomScore Score(string answer, IReadOnlyList<string> expected)
    {
        if (NumericMetric.All(answer) is not [var left, var top, var right, var bottom, ..])
        {
            return new CustomScore(0, "no box", 0);
        }

        var best = expected.Max(truth => NumericMetric.All(truth) is [var a, var b, var c, var d]
            ? Overlap((left, top, right, bottom), sizes ? (a, b, a + c, b + d) : (a, b, c, d))
            : throw new ConfigException($"the expected answer is not a box of four numbers: {Data.Datasets.Brief.Of(truth)}"));
        var note = string.Create(CultureInfo.InvariantCulture, $"{left}, {top}, {right}, {bottom}: intersection over union {best:0.###}");
        return new CustomScore(best >= threshold ? 1 : 0, note, best);
    }

    private static double Overlap((double Left, double Top, double Right, double Bottom) a, (double Left, double Top, double Right, double Bottom) b)
    {
        var width = Math.Min(a.Right, b.Right) - Math.Max(a.Left, b.Left);
        var height = Math.Min(a.Bottom, b.Bottom) - Math.Max(a.Top, b.Top);
        var shared = Math.Max(0, width) * Math.Max(0, height);
        var all = Area(a) + Area(b) - shared;
        return all > 0 ? shared / all : 0;

        static double Area((double Left, double Top, double Right, double Bottom) of) => Math.Max(0, of.Right - of.Left) * Math.Max(0, of.Bottom - of.Top);
    }
}
