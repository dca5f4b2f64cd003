namespace Fovea.Bench;

/// <summary>What the mid benchmark measured. Seconds of one step, MiB of this process; floor figures are of the job's matrix products alone.</summary>
internal sealed record MidResult
{
    public string Job { get; } = "mid";

    public required string Commit { get; init; }

    public required string Hardware { get; init; }

    public required string Libtorch { get; init; }

    public required int Threads { get; init; }

    public required string Dtype { get; init; }

    public required bool Recompute { get; init; }

    public required bool CachedVision { get; init; }

    public required long Parameters { get; init; }

    public required long TrainableParameters { get; init; }

    public required double StepSecondsMedian { get; init; }

    public required double StepSecondsBest { get; init; }

    /// <summary>Processor seconds of all threads.</summary>
    public required double StepCpuSecondsMedian { get; init; }

    public required IReadOnlyList<double> StepSeconds { get; init; }

    /// <summary>By the best step.</summary>
    public required double TokensPerSecond { get; init; }

    public required double TokensPerSecondMedian { get; init; }

    public required double FloorSeconds { get; init; }

    public required double FloorSecondsBest { get; init; }

    public required double FloorCpuSecondsMedian { get; init; }

    public required double FloorGflop { get; init; }

    public required double GemmGflopPerSecond { get; init; }

    /// <summary>Median step over median floor.</summary>
    public required double StepOverFloor { get; init; }

    public required double PeakRssMib { get; init; }

    public required double PeakAnonMib { get; init; }

    public required IReadOnlyList<double> Losses { get; init; }

    public PeerResult? Peer { get; init; }
}
