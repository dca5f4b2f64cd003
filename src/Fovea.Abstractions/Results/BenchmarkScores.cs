namespace Fovea;

/// <summary>How a model did on a benchmark.</summary>
/// <param name="Benchmark">The benchmark's name.</param>
/// <param name="Items">How many items were asked.</param>
/// <param name="Metrics">In the order in which the original reports them.</param>
public sealed record BenchmarkScores(string Benchmark, int Items, IReadOnlyList<BenchmarkMetric> Metrics)
{
    /// <summary>The rule that scored the answers, and whose it is.</summary>
    public string Rule { get; init; } = string.Empty;

    /// <summary>Sentences that change what the numbers mean: only a part was asked, items could not be asked.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}
