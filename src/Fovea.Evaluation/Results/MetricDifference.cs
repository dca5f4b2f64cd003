using Fovea.Evaluation.Statistics;

namespace Fovea.Evaluation.Results;

/// <summary>A metric of two results.</summary>
/// <param name="Interval">95 % interval of the second less the first; null where it cannot be told.</param>
internal sealed record MetricDifference(string Name, double First, double Second, Interval? Interval);
