namespace Fovea.Events;

/// <summary>A fact about a run's progress. Facts are written once, by rank 0, and read by any number of sinks.</summary>
public abstract record RunEvent
{
    /// <summary>When it happened (UTC).</summary>
    public DateTimeOffset Time { get; init; } = DateTimeOffset.UtcNow;
}
