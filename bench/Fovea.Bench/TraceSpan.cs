namespace Fovea.Bench;

/// <summary>A named stretch of time.</summary>
/// <param name="Start">Seconds on the trace's own clock.</param>
/// <param name="Seconds">How long it took.</param>
/// <param name="Thread">Which thread's; a track of its own where <paramref name="IsCollective"/>.</param>
/// <param name="IsCollective">Something that all ranks do together, beside what this process computes.</param>
internal sealed record TraceSpan(string Name, int Thread, double Start, double Seconds, bool IsCollective = false);
