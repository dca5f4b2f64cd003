namespace Fovea.Bench;

/// <summary>Figures of one of the smaller benchmarks; each name ends in its unit.</summary>
internal sealed record SmallResult(string Job, IReadOnlyDictionary<string, double> Figures)
{
    public string Commit { get; } = Machine.Commit;

    public string Hardware { get; } = Machine.Describe();

    /// <summary>What was measured, in words; null where the job's name says it.</summary>
    public string? Settings { get; init; }

    /// <summary>Version of libtorch, where the job uses it.</summary>
    public string? Libtorch { get; init; }

    /// <summary>What bounds the figures, and how far they are above it (1 is the bound); measured in the same run.</summary>
    public IReadOnlyDictionary<string, double>? Floors { get; init; }

    /// <summary>The same in PyTorch and Transformers, in turns; null when it was not asked for.</summary>
    public IReadOnlyDictionary<string, double>? Peer { get; init; }

    /// <summary>Above 1 is in our favour: what is counted a second ours over theirs, seconds and memory theirs over ours.</summary>
    public IReadOnlyDictionary<string, double>? Ratios => Peer is not { } peer
        ? null
        : Figures.ToDictionary(f => f.Key, f => f.Key.Contains("_per_second", StringComparison.Ordinal) ? f.Value / peer[f.Key] : peer[f.Key] / f.Value);
}
