namespace Fovea.Evaluation.Custom;

/// <summary>A benchmark of one's own: rows with expected answers, and a metric by name.</summary>
internal sealed class CustomBenchmark(CustomMetric metric, int maxNewTokens = 128) : Benchmark
{
    public override string Name => "custom";

    public override string Title => $"Rows of one's own, {metric.Name}";

    public override string Rule => $"{metric.Name}: {metric.Rule}";

    public override string Prompt => "{question}";

    public override int MaxNewTokens => maxNewTokens;

    public override IReadOnlyList<BenchmarkItem> Read(BenchmarkInput input) =>
        CustomRows.Read(input.Data ?? throw new ConfigException("--data is missing: the file of rows"), input.Images, input.Prompt ?? Prompt);

    public override BenchmarkScore Score(IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers)
    {
        var scores = items.Select((item, i) => metric.Score(answers[i][^1], (IReadOnlyList<string>)item.Truth!)).ToList();
        var metrics = new List<MetricValue> { Mean(metric.Name, score => score.Score) };
        metrics.AddRange(metric.Others.Select((name, i) => Mean(name, score => score.Others[i])));
        return new BenchmarkScore
        {
            Metrics = metrics,
            Items = [.. scores.Select(score => new ItemScore(score.Score, score.Note))],
            Groups = [.. items.SelectMany((item, i) => item.Groups.Select(group => (group.Key, group.Value, scores[i].Score)))
                .GroupBy(of => (of.Key, of.Value))
                .Select(of => new GroupScore(of.Key.Key, of.Key.Value, of.Count(), metric.Name, 100 * of.Average(one => one.Score)))],
        };

        MetricValue Mean(string name, Func<CustomScore, double> of)
        {
            var values = scores.Select(of).ToArray();
            return new MetricValue(name, 100 * values.DefaultIfEmpty(0).Average(), sample => 100 * sample.Sum(i => values[i]) / sample.Length);
        }
    }
}
