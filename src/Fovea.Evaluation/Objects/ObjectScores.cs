namespace Fovea.Evaluation.Objects;

/// <summary>Scores of boxes and points over rows, in per cent.</summary>
internal static class ObjectScores
{
    /// <summary>The mean distance of points, of which less is better.</summary>
    public const string PointDistance = "point_distance";

    /// <summary>All names.</summary>
    public static IReadOnlyList<string> Names { get; } = 
        ["box_iou", "box_accuracy", "box_precision", "box_center", "box_label_iou", "box_label_accuracy", PointDistance];

    /// <summary>What the numbers mean.</summary>
    public const string Rule =
        "box_iou: mean intersection over union of expected boxes; box_accuracy: expected boxes with at least 0.5; box_precision: answered boxes with at least "
        + "0.5; box_center: expected boxes that hold the middle of their answer; box_label_iou and box_label_accuracy: the first two, over expected boxes with "
        + "a label, where only an answered box of the same label counts; point_distance: mean distance of points in per cent of the image's diagonal. "
        + "Boxes are paired one to one for the largest sum of overlaps; what was not answered counts 0, and a point's distance then 100";

    /// <summary>The scores by name; only those of kinds that were expected.</summary>
    public static IReadOnlyDictionary<string, double> Means(IReadOnlyCollection<ObjectScore> scores)
    {
        var means = new Dictionary<string, double>();
        var boxes = scores.Sum(score => score.Overlaps.Count);
        if (boxes > 0)
        {
            var (hits, answered) = (scores.Sum(score => score.Hits), scores.Sum(score => score.AnsweredBoxes));
            means["box_iou"] = 100 * scores.Sum(score => score.Overlaps.Sum()) / boxes;
            means["box_accuracy"] = 100.0 * hits / boxes;
            means["box_precision"] = answered == 0 ? 0 : 100.0 * hits / answered;
            means["box_center"] = 100.0 * scores.Sum(score => score.Centers.Count(isIn => isIn)) / boxes;
        }

        var labelled = scores.Sum(score => score.LabelledOverlaps.Count);
        if (labelled > 0)
        {
            means["box_label_iou"] = 100 * scores.Sum(score => score.LabelledOverlaps.Sum()) / labelled;
            means["box_label_accuracy"] = 100.0 * scores.Sum(score => score.LabelledHits) / labelled;
        }

        var points = scores.Sum(score => score.Distances.Count);
        if (points > 0)
        {
            means[PointDistance] = 100 * scores.Sum(score => score.Distances.Sum()) / points;
        }

        return means;
    }
}
