namespace Fovea.Evaluation;

/// <summary>The scores of a benchmark.</summary>
internal sealed record BenchmarkScore
{
    /// <summary>The published metrics by their published names, in the published order, units and rounding.</summary>
    public required IReadOnlyList<MetricValue> Metrics { get; init; }

    /// <summary>One for each item, in their order.</summary>
    public required IReadOnlyList<ItemScore> Items { get; init; }

    /// <summary>Metrics of groups: kind of group, group, metric.</summary>
    public IReadOnlyList<GroupScore> Groups { get; init; } = [];
}
