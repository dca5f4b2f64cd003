namespace Fovea.Bench;

/// <summary>The runs of one side: medians, and the least memory that would have done for all of them.</summary>
internal sealed record DemoSide
{
    public DemoSide(IReadOnlyList<DemoRound> rounds)
    {
        double Median(Func<DemoRound, double> figure) => Timings.MedianOf([.. rounds.Select(figure)]);
        Rounds = rounds;
        Software = rounds[0].Software;
        TrainSeconds = Median(r => r.TrainSeconds);
        TrainCpuSeconds = Median(r => r.TrainCpuSeconds);
        StartupSeconds = Median(r => r.StartupSeconds);
        SamplesPerSecond = rounds[0].Samples / TrainSeconds;
        TokensPerSecond = rounds[0].Tokens / TrainSeconds;
        SamplesPerSecondBest = rounds[0].Samples / rounds.Min(r => r.TrainSeconds);
        PeakRssMib = rounds.Max(r => r.PeakRssMib);
        PeakAnonMib = rounds.Max(r => r.PeakAnonMib);
        DataWaitShare = rounds[0].DataWaitSeconds is null ? null : Median(r => r.DataWaitSeconds!.Value / r.TrainSeconds);
    }

    public string Software { get; }

    public double TrainSeconds { get; }

    public double TrainCpuSeconds { get; }

    public double StartupSeconds { get; }

    /// <summary>By the median run.</summary>
    public double SamplesPerSecond { get; }

    public double SamplesPerSecondBest { get; }

    /// <summary>By the median run; padding is not counted.</summary>
    public double TokensPerSecond { get; }

    public double PeakRssMib { get; }

    public double PeakAnonMib { get; }

    /// <summary>Share of the training time that the training thread waited for data.</summary>
    public double? DataWaitShare { get; }

    public IReadOnlyList<DemoRound> Rounds { get; }
}
