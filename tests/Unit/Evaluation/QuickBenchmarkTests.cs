using System.Text.Json;
using Fovea.Evaluation;
using Fovea.Evaluation.Quick;

namespace Fovea.Tests.Unit.Evaluation;

/// <summary>Tables as pandas wrote them, scored as VLMEvalKit's own functions scored them.</summary>
public sealed class QuickBenchmarkTests
{
    private const double Near = 1e-6;
    private static readonly JsonElement Golden = ReadGolden();

    [Fact]
    public void Every_benchmark_says_what_it_does()
    {
        Assert.Equal(10, QuickBenchmarks.All.Count);
        Assert.All(QuickBenchmarks.All, one =>
        {
            Assert.Contains("{question}", one.Prompt, StringComparison.Ordinal);
            Assert.True(one.Rule.Length > 80 && one.Title.Length > 10 && one.MaxNewTokens > 0, one.Name);
        });
        Assert.Equal(10, QuickBenchmarks.All.Select(one => one.Name).Distinct().Count());
    }

    [Fact]
    public void Pope_is_scored_as_by_the_original()
    {
        var (items, score, golden) = Score("pope");
        var read = Predictions(golden).Select(text => YesNo.Read(text) is { } yes ? YesNo.Word(yes) : "Unknown");
        Assert.Equal(golden.GetProperty("extracted").EnumerateArray().Select(value => value.GetString()), read);
        foreach (var rating in golden.GetProperty("rating").EnumerateObject())
        {
            double Ours(string metric) => rating.Name == "Overall" ? Value(score, metric) : Group(score, "category", rating.Name, metric);
            Assert.Equal(rating.Value.GetProperty("acc").GetDouble(), Ours("acc"), Near);
            Assert.Equal(rating.Value.GetProperty("precision").GetDouble(), Ours("precision"), Near);
            Assert.Equal(rating.Value.GetProperty("recall").GetDouble(), Ours("recall"), Near);
            Assert.Equal(rating.Value.GetProperty("Overall").GetDouble(), Ours("f1"), Near);
        }

        // Each question as often as it has categories, by the answers and not by the truths.
        double times = items.Sum(item => item.Groups["category"].Split(',').Length);
        double yes = items.Zip(Predictions(golden)).Where(pair => YesNo.Read(pair.Second) == true).Sum(pair => pair.First.Groups["category"].Split(',').Length);
        Assert.Equal(100 * yes / times, Value(score, "yes_ratio"), Near);
        Assert.Contains(items, item => item.Question == "Is there\ta \"thing\" 0\nin it?");
    }

    [Fact]
    public void Mme_is_scored_as_by_the_original()
    {
        var (items, score, golden) = Score("mme");
        var rating = golden.GetProperty("rating");
        Assert.Equal(rating.GetProperty("perception").GetDouble(), Value(score, "perception"), Near);
        Assert.Equal(rating.GetProperty("reasoning").GetDouble(), Value(score, "cognition"), Near);
        Assert.Equal(14, score.Groups.Count);
        Assert.All(score.Groups, group => Assert.Equal(rating.GetProperty(group.Group).GetDouble(), group.Value, Near));
        Assert.DoesNotContain("Please answer", items[0].Turns[0].ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("chartqa", "relaxed_accuracy")]
    [InlineData("docvqa", "anls")]
    public void Short_answers_are_scored_as_by_the_original(string name, string metric)
    {
        var (_, score, golden) = Score(name);
        var hits = golden.GetProperty("hits").EnumerateArray().Select(value => value.GetDouble()).ToList();
        Assert.All(hits.Zip(score.Items, Predictions(golden)), one =>
            Assert.True(Math.Abs(one.First - one.Second.Score) < Near, $"{one.Third}: {one.Second.Score}, not {one.First}"));
        Assert.Equal(golden.GetProperty("overall").GetDouble(), Value(score, metric), Near);
        Assert.All(golden.GetProperty("splits").EnumerateObject(), split =>
            Assert.Equal(split.Value.GetDouble(), Group(score, "split", split.Name, metric), Near));
    }

    [Fact]
    public void Options_are_read_as_by_the_original()
    {
        var golden = Golden.GetProperty("choices");
        var choices = golden.GetProperty("options").EnumerateObject().Select(option => new Choice(option.Name, option.Value.GetString()!)).ToList();
        Assert.All(golden.GetProperty("rows").EnumerateArray(), row =>
            Assert.True(row.GetProperty("read").GetString() == ChoiceReader.Read(row.GetProperty("answer").GetString()!, choices), row.ToString()));
    }

    [Theory]
    [InlineData("mmbench", true)]
    [InlineData("scienceqa", false)]
    [InlineData("mmmu", false)]
    public void Questions_with_options_are_scored_as_by_the_original(string name, bool circular)
    {
        var (items, score, golden) = Score(name);
        var hits = golden.GetProperty("hits");
        foreach (var (item, one) in items.Zip(score.Items))
        {
            var id = circular ? (long.Parse(item.Id) % 1_000_000).ToString() : item.Id;
            Assert.True(hits.GetProperty(id).GetDouble() == one.Score, $"{item.Id}: {one}");
        }

        Assert.Equal(golden.GetProperty("overall").GetDouble(), Value(score, "Overall"), Near);
        foreach (var split in golden.GetProperty("report").EnumerateObject())
        {
            Assert.Equal(split.Value.GetProperty("Overall").GetDouble(), Group(score, "split", split.Name, "Overall"), Near);
        }
    }

    [Fact]
    public void OcrBench_is_scored_as_by_the_original()
    {
        var (_, score, golden) = Score("ocrbench");
        Assert.Equal(
            golden.GetProperty("score").EnumerateObject().Select(value => (value.Name, value.Value.GetDouble())),
            score.Metrics.Select(metric => (metric.Name, Math.Round(metric.Value, 9))));
    }

    [Theory]
    [InlineData("refcoco", "refcoco")]
    [InlineData("refcoco", "refcoco-other")]
    public void Rectangles_are_scored_as_by_the_original(string name, string table)
    {
        var (items, score, golden) = Score(name, table);
        var answers = Predictions(golden).ToList();
        var ious = golden.GetProperty("ious").EnumerateArray().Select(value => value.GetDouble()).ToList();
        for (var i = 0; i < items.Count; i++)
        {
            var truth = (RefCocoTruth)items[i].Truth!;
            var overlap = BoxReader.Read(answers[i], truth.Width, truth.Height) is { } read ? Box.Overlap(read.Box, truth.Box) : 0;
            Assert.True(Math.Abs(overlap - ious[i]) < Near, $"{answers[i]}: {overlap}, not {ious[i]}");
        }

        foreach (var split in golden.GetProperty("summary").EnumerateObject())
        {
            var values = split.Value.EnumerateArray().Select(value => value.GetDouble()).ToList();
            string[] metrics = ["Precision@1", "Average IoU"];
            Assert.All(metrics.Zip(values), one =>
                Assert.Equal(one.Second, split.Name == "Average" ? Value(score, one.First) : Group(score, "split", split.Name, one.First), Near));
        }
    }

    [Fact]
    public void A_resampled_metric_of_all_items_once_is_the_metric()
    {
        foreach (var name in (string[])["pope", "chartqa", "docvqa", "scienceqa", "mmmu", "ocrbench", "refcoco"])
        {
            var (items, score, _) = Score(name);
            Assert.All(score.Metrics, metric => Assert.Equal(metric.Value, metric.Resample!([.. Enumerable.Range(0, items.Count)]), Near));
        }
    }

    [Theory]
    [InlineData("mmbench")]
    [InlineData("mme")]
    public void Clusters_are_drawn_whole(string name)
    {
        var (items, score, _) = Score(name);
        var random = new NumpyRandom(7);
        var metric = score.Metrics[0];
        var draws = Enumerable.Range(0, 2000).Select(_ => metric.Resample!([.. items.Select(_ => (int)random.NextInterval((uint)items.Count - 1))])).ToList();

        // The mean of many samples is near the metric, and they differ.
        Assert.InRange(draws.Average() / metric.Value, 0.95, 1.05);
        Assert.True(draws.Max() > draws.Min());
    }

    private static (IReadOnlyList<BenchmarkItem> Items, BenchmarkScore Score, JsonElement Golden) Score(string name, string? table = null)
    {
        var golden = Golden.GetProperty(table ?? name);
        using var folder = new TempFolder();
        var benchmark = QuickBenchmarks.All.Single(one => one.Name == name);
        var items = benchmark.Read(new BenchmarkInput { Data = folder.Write("table.tsv", golden.GetProperty("tsv").GetString()!), ScoresOnly = true });
        IReadOnlyList<IReadOnlyList<string>> answers = [.. Predictions(golden).Select(text => (string[])[text])];
        Assert.Equal(answers.Count, items.Count);
        return (items, benchmark.Score(items, answers), golden);
    }

    private static IEnumerable<string> Predictions(JsonElement golden) =>
        golden.GetProperty("predictions").EnumerateArray().Select(value => value.GetString()!);

    private static double Value(BenchmarkScore score, string metric) => score.Metrics.Single(one => one.Name == metric).Value;

    private static double Group(BenchmarkScore score, string kind, string group, string metric) =>
        score.Groups.Single(one => one.Kind == kind && one.Group == group && one.Metric == metric).Value;

    private static JsonElement ReadGolden()
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(TestFiles.Golden("evaluation/benchmarks.json")));
        return document.RootElement.Clone();
    }
}
