namespace Fovea.Cli.Bench;

/// <summary>A named stretch of one thread's time.</summary>
/// <param name="Start">Seconds on the trace's own clock.</param>
/// <param name="Seconds">How long it took.</param>
public sealed record TraceSpan(string Name, int Thread, double Start, double Seconds);
