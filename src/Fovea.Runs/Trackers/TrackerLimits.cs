namespace Fovea.Runs.Trackers;

/// <summary>How patient a run is with a tracker.</summary>
internal sealed record TrackerLimits
{
    /// <summary>Most events that wait for it; more are dropped.</summary>
    public int Queue { get; init; } = 1000;

    /// <summary>How often a batch is sent before it is dropped.</summary>
    public int Attempts { get; init; } = 10;

    /// <summary>The pause after the first failure; each next one is twice as long.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromSeconds(0.5);

    /// <summary>The longest pause.</summary>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the end of the run waits for what is under way.</summary>
    public TimeSpan End { get; init; } = TimeSpan.FromSeconds(10);
}
