namespace Fovea.Bench;

/// <summary>What <see cref="ServeBench"/> measured. Pairs of seconds are the median and the 99th percentile.</summary>
internal sealed record ServeFigures
{
    public required int Clients { get; init; }

    public required double Seconds { get; init; }

    public required int Answers { get; init; }

    public required int Vanished { get; init; }

    public required int ErrorCount { get; init; }

    public required string[] Errors { get; init; }

    public required double TokensPerSecond { get; init; }

    public required double[] FirstTokenSeconds { get; init; }

    public required double[] WholeSeconds { get; init; }

    public required ServeMinute[] Minutes { get; init; }

    /// <summary>RssAnon of the server after two minutes, or after half the time.</summary>
    public required double AnonMibEarly { get; init; }

    public required double AnonMibLate { get; init; }

    /// <summary>The one over the other: of ten minutes, minute 10 over minute 2.</summary>
    public double AnonRatio => AnonMibEarly > 0 ? AnonMibLate / AnonMibEarly : 0;

    public required int PagesInUseAfter { get; init; }

    public required int ExitCode { get; init; }
}
