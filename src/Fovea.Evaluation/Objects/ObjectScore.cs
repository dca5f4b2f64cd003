using System.Globalization;
using Fovea.Data.Objects;
using Fovea.Evaluation.Quick;

namespace Fovea.Evaluation.Objects;

/// <summary>
/// How near the places of an answer are to those of its row. Expected and answered boxes are paired so that the sum of their overlaps is largest, points so
/// that their distances are smallest. An answer does not name an image: its numbers are read in the coordinates of the image that the expected place is in.
/// </summary>
internal sealed record ObjectScore
{
    private const double Hit = 0.5;

    // Decides between pairs of equal overlap.
    private const double Inside = 1e-9;

    /// <summary>Of each expected box, its intersection over union with its pair; 0 without one.</summary>
    public required IReadOnlyList<double> Overlaps { get; init; }

    /// <summary>Of each expected box, whether the middle of its pair, or the point, lies in it.</summary>
    public required IReadOnlyList<bool> Centers { get; init; }

    /// <summary>Of each expected box with a label, its intersection over union with its pair among answered boxes of that label; 0 without one.</summary>
    public IReadOnlyList<double> LabelledOverlaps { get; init; } = [];

    /// <summary>Boxes in the answer, where boxes were expected.</summary>
    public required int AnsweredBoxes { get; init; }

    /// <summary>Of each expected point, how far away its pair is, as a share of the image's diagonal; 1 without one.</summary>
    public required IReadOnlyList<double> Distances { get; init; }

    /// <summary>What was expected and what was answered, to be drawn.</summary>
    public required IReadOnlyList<ObjectMark> Marks { get; init; }

    /// <summary>Expected boxes that are found.</summary>
    public int Hits => Overlaps.Count(overlap => overlap >= Hit);

    /// <summary>Expected boxes with a label that are found under it.</summary>
    public int LabelledHits => LabelledOverlaps.Count(overlap => overlap >= Hit);

    /// <summary>0 to 1 over boxes and points; the larger, the better.</summary>
    public double Goodness => Overlaps.Concat(Distances.Select(distance => 1 - distance)).Average();

    /// <param name="expected">The places of the row's answer; at least one.</param>
    /// <param name="answer">The text that a model wrote.</param>
    /// <param name="text">The row's answer as it is written, which says what labels its places have; null where they have none.</param>
    public static ObjectScore Of(IReadOnlyList<WrittenPlace> expected, string answer, string? text = null)
    {
        var named = PlaceReader.ReadNamed(answer);
        List<IReadOnlyList<double>> read = [.. named.Select(place => place.Numbers)];
        var boxes = expected.Where(place => place.Place is ObjectBox).ToList();
        var points = expected.Where(place => place.Place is ObjectPoint).ToList();

        // Where an answer is of the other kind altogether, its middles or points are better than nothing.
        var (four, two) = (read.Where(numbers => numbers.Count == 4).ToList(), read.Where(numbers => numbers.Count == 2).ToList());
        var forBoxes = boxes.Count == 0 ? [] : four.Count > 0 || points.Count > 0 ? four : two;
        var forPoints = points.Count == 0 ? [] : two.Count > 0 || boxes.Count > 0 ? two : four;
        var boxPairs = Pairs(boxes, forBoxes, (place, numbers) => Overlap(place, numbers) + (IsInside(place, numbers) ? Inside : 0));
        var pointPairs = Pairs(points, forPoints, (place, numbers) => 2 - Distance(place, numbers));
        return new ObjectScore
        {
            Overlaps = [.. boxes.Select((box, i) => boxPairs[i] < 0 ? 0 : Overlap(box, forBoxes[boxPairs[i]]))],
            Centers = [.. boxes.Select((box, i) => boxPairs[i] >= 0 && IsInside(box, forBoxes[boxPairs[i]]))],
            LabelledOverlaps = Labelled(expected, named, text is null ? [] : PlaceReader.ReadNamed(text)),
            AnsweredBoxes = boxes.Count == 0 ? 0 : four.Count,
            Distances = [.. points.Select((point, i) => pointPairs[i] < 0 ? 1 : Distance(point, forPoints[pointPairs[i]]))],
            Marks =
            [
                .. expected.Select(place => Mark(place, place.Place, "expected", isExpected: true)),
                .. Answered(boxes, forBoxes, boxPairs), .. Answered(points, forPoints, pointPairs),
            ],
        };
    }

    /// <param name="own">The places of the row's answer as they are read from its text.</param>
    private static double[] Labelled(IReadOnlyList<WrittenPlace> expected, IReadOnlyList<NamedPlace> answered, IReadOnlyList<NamedPlace> own)
    {
        if (own.Count != expected.Count)
        {
            return [];
        }

        var boxes = expected.Zip(own).Where(pair => pair.First.Place is ObjectBox && pair.Second is { IsMarked: true, Label.Length: > 0 }).ToList();
        var four = answered.Where(place => place.Numbers.Count == 4).ToList();
        var pairs = Pairs(boxes, four, Weight);
        return [.. boxes.Select((box, i) => pairs[i] < 0 ? 0 : Weight(box, four[pairs[i]]))];

        static double Weight((WrittenPlace Place, NamedPlace Own) box, NamedPlace place) =>
            place.Is(box.Own.Label!) ? Overlap(box.Place, place.Numbers) : 0;
    }

    private static int[] Pairs<TExpected, TAnswered>(
        List<TExpected> expected, IReadOnlyList<TAnswered> answered, Func<TExpected, TAnswered, double> weight)
    {
        var weights = new double[expected.Count, answered.Count];
        for (var i = 0; i < expected.Count; i++)
        {
            for (var j = 0; j < answered.Count; j++)
            {
                weights[i, j] = weight(expected[i], answered[j]);
            }
        }

        return BestPairs.Of(weights);
    }

    private static double Overlap(WrittenPlace expected, IReadOnlyList<double> numbers) =>
        Read(expected, numbers) is ObjectBox box ? Box.Overlap(Sides((ObjectBox)expected.Place), Sides(box)) : 0;

    private static bool IsInside(WrittenPlace expected, IReadOnlyList<double> numbers)
    {
        var ((x, y), box) = (Middle(Read(expected, numbers)), (ObjectBox)expected.Place);
        return x >= box.Left && x <= box.Right && y >= box.Top && y <= box.Bottom;
    }

    private static double Distance(WrittenPlace expected, IReadOnlyList<double> numbers)
    {
        var ((x, y), point) = (Middle(Read(expected, numbers)), (ObjectPoint)expected.Place);
        var diagonal = double.Hypot(expected.Frame.Width, expected.Frame.Height);
        return Math.Min(double.Hypot(x - point.X, y - point.Y) / diagonal, 1);
    }

    private static ObjectPlace Read(WrittenPlace expected, IReadOnlyList<double> numbers) => expected.Frame.FromModel(numbers, expected.Place.ImageIndex);

    private static (double X, double Y) Middle(ObjectPlace place) => place switch
    {
        ObjectBox box => ((box.Left + box.Right) / 2, (box.Top + box.Bottom) / 2),
        ObjectPoint point => (point.X, point.Y),
        _ => throw new InvalidOperationException($"a place of kind {place.GetType().Name}"),
    };

    private static Box Sides(ObjectBox box) => new(box.Left, box.Top, box.Right, box.Bottom);

    private static IEnumerable<ObjectMark> Answered(List<WrittenPlace> expected, IReadOnlyList<IReadOnlyList<double>> answered, int[] pairs)
    {
        for (var j = 0; j < answered.Count && expected.Count > 0; j++)
        {
            // What has no pair is shown on the image of the first one.
            var pair = Math.Max(Array.IndexOf(pairs, j), 0);
            yield return Mark(expected[pair], Read(expected[pair], answered[j]), "answered", isExpected: false);
        }
    }

    private static ObjectMark Mark(WrittenPlace of, ObjectPlace place, string what, bool isExpected)
    {
        var numbers = ObjectFrame.Numbers(place);
        var words = string.Join(", ", numbers.Select(number => number.Value.ToString("0.#", CultureInfo.InvariantCulture)));
        return new ObjectMark(
            place.ImageIndex, isExpected, [.. numbers.Select(number => number.Value / (number.IsX ? of.Frame.Width : of.Frame.Height))], $"{what}: [{words}]");
    }
}
