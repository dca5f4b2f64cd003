namespace Fovea.Bench;

/// <summary>The same job in PyTorch and Transformers, its steps taken in turns with ours; ratios above 1 are in our favour.</summary>
internal sealed record PeerResult
{
    public required string Torch { get; init; }

    public required string Transformers { get; init; }

    public required string Attention { get; init; }

    public required bool Recompute { get; init; }

    public required double StepSecondsMedian { get; init; }

    public required double StepSecondsBest { get; init; }

    public required double StepCpuSecondsMedian { get; init; }

    public required IReadOnlyList<double> StepSeconds { get; init; }

    public required double TokensPerSecond { get; init; }

    public required double PeakRssMib { get; init; }

    public required double PeakAnonMib { get; init; }

    public required IReadOnlyList<double> Losses { get; init; }

    /// <summary>Tokens per second, ours over theirs, by median steps.</summary>
    public required double SpeedRatioMedian { get; init; }

    /// <summary>By best steps.</summary>
    public required double SpeedRatioBest { get; init; }

    /// <summary>By processor seconds.</summary>
    public required double SpeedRatioCpu { get; init; }

    /// <summary>Our peak resident memory over theirs: below 1 is in our favour.</summary>
    public required double MemoryRatio { get; init; }

    /// <summary>
    /// Their step with image features from memory, as ours under <c>--cached-vision</c>; null without that. The other figures are of their whole step.
    /// </summary>
    public double? CachedStepSecondsMedian { get; init; }

    public double? CachedStepSecondsBest { get; init; }

    /// <summary>Our cached step against their cached step, by medians.</summary>
    public double? SpeedRatioMedianBothCached { get; init; }

    public double? SpeedRatioBestBothCached { get; init; }

    /// <summary>Adds the peer's cached steps, when there are any.</summary>
    internal PeerResult With(Timings cached, double oursMedian, double oursBest) => cached.Wall.Count == 0 ? this : this with
    {
        CachedStepSecondsMedian = cached.Median,
        CachedStepSecondsBest = cached.Best,
        SpeedRatioMedianBothCached = cached.Median / oursMedian,
        SpeedRatioBestBothCached = cached.Best / oursBest,
    };
}
