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
        CustomRows.Read(input.Data ?? throw new ConfigException("--data is missing: the file of rows"), input, input.Prompt ?? Prompt);

    public override BenchmarkScore Score(IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers)
    {
        var scores = items.Select((item, i) => metric.Score(answers[i][^1], (IReadOnlyList<string>)item.Truth!)).ToList();
        double[] values = [.. scores.Select(score => score.Score)];
        return new BenchmarkScore
        {
            Metrics =
            [
                Means.Of(metric.Name, values, 100),
                .. metric.Others.Select((name, n) => Means.Of(name, [.. scores.Select(score => score.Others[n])], 100)),
            ],
            Items = [.. scores.Select(score => new ItemScore(score.Score, score.Note))],
            Groups = [.. Means.ByGroup(items, values, metric.Name, 100)],
        };
    }
}
