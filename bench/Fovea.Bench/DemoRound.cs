namespace Fovea.Bench;

/// <summary>One whole training run in a process of its own, ours or the peer's. Times in seconds, memory in MiB.</summary>
internal sealed record DemoRound
{
    /// <summary>Libraries and their versions.</summary>
    public required string Software { get; init; }

    /// <summary>Samples trained, each as often as it came.</summary>
    public required int Samples { get; init; }

    /// <summary>Tokens of these samples, padding not counted.</summary>
    public required long Tokens { get; init; }

    public required int Steps { get; init; }

    /// <summary>From the start of the process to the first step.</summary>
    public required double StartupSeconds { get; init; }

    /// <summary>From the first step to the last, saving on the way included, start-up and the final result not.</summary>
    public required double TrainSeconds { get; init; }

    /// <summary>Processor seconds of all threads in that time: less disturbed by other programs.</summary>
    public required double TrainCpuSeconds { get; init; }

    /// <summary>How long the training thread waited for data; null where that is not known.</summary>
    public double? DataWaitSeconds { get; init; }

    /// <summary>The part of <see cref="DataWaitSeconds"/> that came before the first step.</summary>
    public double? FirstDataWaitSeconds { get; init; }

    public required double PeakRssMib { get; init; }

    public required double PeakAnonMib { get; init; }

    /// <summary>Loss of each step, before its update.</summary>
    public required IReadOnlyList<double> Losses { get; init; }
}
