namespace Fovea.Evaluation;

/// <summary>A metric's value.</summary>
/// <param name="Name">As the original program names it.</param>
/// <param name="Value">In the original's unit.</param>
/// <param name="Resample">The metric of a sample of items, given by their indices with repetition; for bootstrap intervals. Null: none is given.</param>
internal sealed record MetricValue(string Name, double Value, Func<int[], double>? Resample = null);
