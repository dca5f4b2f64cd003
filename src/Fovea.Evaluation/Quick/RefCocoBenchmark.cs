using System.Globalization;
using System.Text.RegularExpressions;
using Fovea.Evaluation.Tables;

namespace Fovea.Evaluation.Quick;

/// <summary>Finding what a phrase means in an image, answered by a rectangle.</summary>
internal sealed partial class RefCocoBenchmark : TableBenchmark
{
    private const double Hit = 0.5;

    private static readonly string[] Splits =
        ["RefCOCO_val", "RefCOCO_testA", "RefCOCO_testB", "RefCOCO+_val", "RefCOCO+_testA", "RefCOCO+_testB", "RefCOCOg_val", "RefCOCOg_test"];

    public override string Name => "refcoco";

    public override string Title => "RefCOCO, RefCOCO+ and RefCOCOg: the rectangle that a phrase means";

    public override string Rule =>
        "VLMEvalKit @e8e78f0: Precision@1, the per cent of answers whose rectangle overlaps the expected one by at least 0.5, and Average IoU (0 to "
        + "1), as means of the splits' means where the file names the official splits. Numbers up to 1.5 count as shares of the image, up to 1000 as "
        + "thousandths, beyond that as its pixels, each answer by itself (a model that answers in pixels of a smaller image is misread); the samples say "
        + "which was assumed. An answer without four numbers overlaps by 0. Questions of VLMEvalKit's own table are asked as they stand.";

    public override string Prompt =>
        "Bounding box coordinates are specified in the format (top-left x, top-left y, bottom-right x, bottom-right y). All values are floating point "
        + "numbers bounded between 0 and 1. Please provide the bounding box coordinate of the region this sentence describes: {question}";

    public override int MaxNewTokens => 64;

    public override BenchmarkScore Score(IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers)
    {
        var truths = items.Select(item => (RefCocoTruth)item.Truth!).ToList();
        var reads = truths.Select((truth, i) => BoxReader.Read(answers[i][0], truth.Width, truth.Height)).ToList();
        double[] overlaps = [.. reads.Select((read, i) => read is { } found ? Box.Overlap(found.Box, truths[i].Box) : 0)];
        double[] hits = [.. overlaps.Select(overlap => overlap >= Hit ? 1.0 : 0)];
        var isOfficial = truths.Exists(IsOfficial);
        return new BenchmarkScore
        {
            Metrics = [Metric("Precision@1", hits, 100), Metric("Average IoU", overlaps, 1)],
            Items = [.. hits.Select((hit, i) => new ItemScore(hit, Note(reads[i], overlaps[i])))],
            Groups = [.. Means.ByGroup(items, hits, "Precision@1", 100), .. Means.ByGroup(items, overlaps, "Average IoU")],
        };

        MetricValue Metric(string name, double[] values, double scale)
        {
            return new MetricValue(name, Mean([.. Enumerable.Range(0, values.Length)]), Mean);

            double Mean(int[] sample)
            {
                // Rows of other splits count in no official mean.
                var some = isOfficial ? sample.Where(i => IsOfficial(truths[i])) : sample;
                var splits = some.GroupBy(i => isOfficial ? truths[i].Split : null, i => values[i]).Select(split => split.Average()).ToList();
                return splits.Count == 0 ? 0 : scale * splits.Average();
            }
        }
    }

    protected override IEnumerable<BenchmarkItem> Items(TableRow row, BenchmarkInput input, int number)
    {
        // Of an image that is missing, which is not asked then, any size will do.
        var size = row.Pictures is [var picture, ..] ? picture.Size ?? (picture.Problem is null ? null : (1, 1)) : null;
        var width = row.NumberOrNull("width", "image_width") ?? size?.Width;
        var height = row.NumberOrNull("height", "image_height") ?? size?.Height;
        if (width is not > 0 || height is not > 0)
        {
            throw row.Problem("width and height must give the size of the image in pixels");
        }

        var split = Split(row);
        var truth = new RefCocoTruth(Truth(row, width.Value, height.Value), width.Value, height.Value, split);
        var isOwn = row.Has("bbox_x1", "x1") || !row.Has("bbox");
        var phrases = row.Has("sent") ? [row.Text("sent")] : isOwn ? [row.Text("question")] : row.Texts("answer", "sentences", "phrase");
        for (var i = 0; i < phrases.Count; i++)
        {
            yield return new BenchmarkItem
            {
                Id = Id(row, split, number, phrases.Count > 1 ? $"-{(i + 1).ToString(CultureInfo.InvariantCulture)}" : string.Empty),
                Turns = [isOwn && input.Prompt is null ? new Message(Role.User, [.. Images(row, input), new Text(phrases[i])]) : Ask(row, input, phrases[i])],
                Question = phrases[i],
                Expected = Show(truth.Box),
                Groups = split is null ? new Dictionary<string, string>() : new Dictionary<string, string> { ["split"] = split },
                Truth = truth,
            };
        }
    }

    private static string Show(Box box) =>
        string.Create(CultureInfo.InvariantCulture, $"[{box.Left:0.##}, {box.Top:0.##}, {box.Right:0.##}, {box.Bottom:0.##}]");

    private static bool IsOfficial(RefCocoTruth truth) => truth.Split is { } split && Splits.Contains(split);

    private static string? Note((Box Box, string Unit)? read, double overlap) => read is not { } found ? "has no four numbers"
        : string.Create(CultureInfo.InvariantCulture, $"read as {found.Unit}, overlap {overlap:0.000}");

    private static string Id(TableRow row, string? split, int number, string end) =>
        $"{(split is not null && row.Has("index") ? $"{split}_" : string.Empty)}{Id(row, number)}{end}";

    /// <summary>The official name of the split, from its column or from words like "RefCOCO+ test A".</summary>
    private static string? Split(TableRow row)
    {
        if (row.TextOrNull("split", "dataset") is { } named)
        {
            return named;
        }

        var parts = row.TextOrNull("category") is { } category ? PythonText.Trim(category).Split((char[]?)null, 2, StringSplitOptions.RemoveEmptyEntries) : [];
        return parts.Length == 0 ? null : parts.Length == 1 ? parts[0] : $"{parts[0]}_" + (Blanks().Replace(parts[1].ToLowerInvariant(), string.Empty) switch
        {
            "val" => "val",
            "test" => "test",
            "testa" => "testA",
            "testb" => "testB",
            _ => PythonText.Trim(parts[1]).Replace(' ', '_').Replace('-', '_'),
        });
    }

    private static Box Truth(TableRow row, double width, double height)
    {
        foreach (var prefix in (string[])["bbox_", string.Empty])
        {
            if (row.NumberOrNull($"{prefix}x1") is { } left && row.NumberOrNull($"{prefix}y1") is { } top
                && row.NumberOrNull($"{prefix}x2") is { } right && row.NumberOrNull($"{prefix}y2") is { } bottom)
            {
                return new Box(left, top, right, bottom);
            }
        }

        var text = row.TextOrNull("bbox") ?? row.Text("answer");
        var box = BoxReader.Numbers(text) ?? throw row.Problem($"bbox must be four numbers, not {Problems.Brief(text)}");
        return Math.Max(Math.Abs(box.Right), Math.Abs(box.Bottom)) <= 1.5 ? box.Scale(width, height)
            : row.Has("bbox") && !row.Has("sent") ? new Box(box.Left, box.Top, box.Left + box.Right, box.Top + box.Bottom)
            : box;
    }

    [GeneratedRegex(@"[\s_-]+", RegexOptions.CultureInvariant)]
    private static partial Regex Blanks();
}
