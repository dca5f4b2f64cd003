using System.Globalization;
using Fovea.Evaluation.Quick;
using Fovea.Evaluation.Tables;

namespace Fovea.Evaluation.Captions;

/// <summary>Captions of images, scored as pycocoevalcap does.</summary>
internal sealed class CocoCaptionBenchmark : TableBenchmark
{
    // An image's CIDEr is at most this.
    private const double MostCider = 10;

    public override string Name => "coco-caption";

    public override string Title => "COCO captions (also Karpathy's split, NoCaps and Flickr in the same form)";

    public override string Rule =>
        "BLEU, ROUGE-L and CIDEr-D of salaniz/pycocoevalcap @ad63453 on Penn Treebank tokens (its CIDEr weighs by the references of the set that is scored: "
        + "of a part it is not comparable; intervals keep the whole set's weights). A line end within a caption counts as a blank, where the original "
        + "mixes captions up.";

    public override string Prompt => "Provide a one-sentence caption for the provided image.";

    public override int MaxNewTokens => 64;

    public override IReadOnlyList<string> LeftOut =>
        ["METEOR: not computed (needs the Java program meteor-1.5.jar)", "SPICE: not computed (needs the Java program spice-1.0.jar)"];

    public override IReadOnlyList<BenchmarkItem> Read(BenchmarkInput input)
    {
        var path = input.Annotations ?? InFolder(input.Data) ?? throw new ConfigException(
            "coco-caption needs the captions of its images: --annotations captions_val2014.json, or Karpathy's dataset_coco.json, or --data with a table");
        if (!path.EndsWith(".json", StringComparison.OrdinalIgnoreCase) || CaptionFiles.Read(path) is not { } rows)
        {
            return base.Read(input with { Data = path });
        }

        var images = new CocoImages(input.Images ?? Path.GetDirectoryName(Path.GetFullPath(path))!, null);
        var (items, problems) = (new List<BenchmarkItem>(rows.Count), new List<string>());
        foreach (var (id, captions, file) in rows)
        {
            try
            {
                items.Add(Item(id, captions, input.ScoresOnly ? [] : [CaptionFiles.Picture(images, id, file, path, input.Asks(items.Count))], input));
            }
            catch (ConfigException e)
            {
                problems.AddRange(e.Problems);
            }
        }

        return problems.Count > 0 ? throw new ConfigException(Problems.Some(problems))
            : items.Count > 0 ? items : throw new ConfigException($"{path} has no captions");
    }

    public override BenchmarkScore Score(IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers)
    {
        string[][] captions = [.. items.Select(item => ((CaptionTruth)item.Truth!).References)];
        var tokens = PtbTokenizer.Tokenize([.. captions.SelectMany(some => some)]);
        var references = new string[items.Count][];
        for (var (i, at) = (0, 0); i < references.Length; at += captions[i++].Length)
        {
            references[i] = tokens[at..(at + captions[i].Length)];
        }

        var candidates = PtbTokenizer.Tokenize([.. answers.Select(answer => answer[0])]);
        var scores = new CaptionScores(candidates, references);
        return new BenchmarkScore
        {
            Metrics =
            [
                .. Enumerable.Range(0, BleuCounts.Orders).Select(n => new MetricValue($"Bleu_{n + 1}", scores.BleuOfAll[n], sample => scores.Bleu(sample)[n])),
                Means.Of("ROUGE_L", scores.RougeL), Means.Of("CIDEr", scores.Cider),
            ],
            Items =
            [
                .. candidates.Select((text, i) => new ItemScore(Math.Clamp(scores.Cider[i] / MostCider, 0, 1), string.Create(
                    CultureInfo.InvariantCulture, $"read as \"{text.Replace('\u00A0', ' ')}\"; CIDEr {scores.Cider[i]:F3}, ROUGE_L {scores.RougeL[i]:F3}"))),
            ],
        };
    }

    protected override IEnumerable<BenchmarkItem> Items(TableRow row, BenchmarkInput input, int number)
    {
        yield return Item(
            row.TextOrNull("image_id", "cocoid", "question_id", "index", "id") ?? Id(row, number),
            [.. row.TextsOf("raw", "answers", "answer", "captions", "caption")], [.. Images(row, input)], input);
    }

    private BenchmarkItem Item(string id, string[] captions, IReadOnlyList<Part> images, BenchmarkInput input) => new()
    {
        Id = id,
        Turns = [new Message(Role.User, [.. images, new Text(input.Prompt ?? Prompt)])],
        Question = string.Empty,
        Expected = string.Join(" | ", captions),
        Truth = new CaptionTruth(captions),
    };

    /// <summary>The captions' file in a folder that has one, perhaps in its folder of annotations, and what is given otherwise.</summary>
    private static string? InFolder(string? data)
    {
        if (data is null || !Directory.Exists(data))
        {
            return data;
        }

        var found = Directory.EnumerateFiles(data, "*.json").Where(file => Path.GetFileName(file) is "dataset_coco.json"
            || Path.GetFileName(file).StartsWith("captions_val", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToList();
        return found.Count > 1
            ? throw new ConfigException(
                $"{data} has several files of captions: {string.Join(", ", found.Select(Path.GetFileName))}; name one with --annotations")
            : found.Count == 1 ? found[0]
            : Path.Combine(data, CocoImages.Annotations) is var inner && Directory.Exists(inner) && InFolder(inner) is { } file && file != inner ? file
            : data;
    }
}
