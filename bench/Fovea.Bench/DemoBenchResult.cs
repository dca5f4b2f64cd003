namespace Fovea.Bench;

/// <summary>What the demo benchmark measured; ratios above 1 are in our favour, except memory: ours over theirs.</summary>
internal sealed record DemoBenchResult
{
    public string Job { get; } = "demo";

    public string Commit { get; } = Machine.Commit;

    public string Hardware { get; } = Machine.Describe();

    /// <summary>Whose configuration it was, and what was replaced in it.</summary>
    public required string Config { get; init; }

    public required int Threads { get; init; }

    public required string Dtype { get; init; }

    public required DemoSide Fovea { get; init; }

    public DemoSide? Peer { get; init; }

    /// <summary>By median runs.</summary>
    public double? SamplesPerSecondRatio => Fovea.SamplesPerSecond / Peer?.SamplesPerSecond;

    /// <summary>By the best run of each side.</summary>
    public double? SamplesPerSecondRatioBest => Fovea.SamplesPerSecondBest / Peer?.SamplesPerSecondBest;

    /// <summary>By processor seconds, medians.</summary>
    public double? SpeedRatioCpu => Peer?.TrainCpuSeconds / Fovea.TrainCpuSeconds;

    public double? PeakRssRatio => Fovea.PeakRssMib / Peer?.PeakRssMib;

    public double? PeakAnonRatio => Fovea.PeakAnonMib / Peer?.PeakAnonMib;
}
