using System.Globalization;
using Fovea.Evaluation.Objects;
using Fovea.Evaluation.Quick;

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

    public override string Rule => "the first box of the answer, in any form, else its first four numbers (left, top, right, bottom), has an "
        + "intersection over union with an expected "
        + $"one ({(sizes ? "left, top, width, height" : "left, top, right, bottom")}, in the same unit) of at least "
        + $"{threshold.ToString(CultureInfo.InvariantCulture)}; iou: its mean; per cent";

    public override IReadOnlyList<string> Others => ["iou"];

    public override CustomScore Score(string answer, IReadOnlyList<string> expected)
    {
        if (Numbers(answer) is not [var left, var top, var right, var bottom, ..])
        {
            return new CustomScore(0, "no box", 0);
        }

        var best = expected.Max(truth => Numbers(truth) is [var a, var b, var c, var d]
            ? Box.Overlap(new Box(left, top, right, bottom), sizes ? new Box(a, b, a + c, b + d) : new Box(a, b, c, d))
            : throw new ConfigException($"the expected answer is not a box of four numbers: {Data.Datasets.Brief.Of(truth)}"));
        var note = string.Create(CultureInfo.InvariantCulture, $"{left}, {top}, {right}, {bottom}: intersection over union {best:0.###}");
        return new CustomScore(best >= threshold ? 1 : 0, note, best);
    }

    // As numbers alone, "10,200" would be ten thousand and "bbox_2d" hold one.
    private static IReadOnlyList<double> Numbers(string text) =>
        PlaceReader.Read(text).FirstOrDefault(numbers => numbers.Count == 4) ?? NumericMetric.All(text);
}
