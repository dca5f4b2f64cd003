namespace Fovea.Events;

/// <summary>A fact about a run's progress, emitted once, by rank 0.</summary>
public abstract record RunEvent
{
    /// <summary>When it happened (UTC).</summary>
    public DateTimeOffset Time { get; init; } = DateTimeOffset.UtcNow;
}
