namespace Fovea;

/// <summary>A metric of a benchmark.</summary>
/// <param name="Name">As the original program names it.</param>
/// <param name="Value">In the original's unit.</param>
/// <param name="Low">Lower end of the 95 % bootstrap interval over items; null where there is none.</param>
/// <param name="High">Its upper end.</param>
public sealed record BenchmarkMetric(string Name, double Value, double? Low, double? High);
