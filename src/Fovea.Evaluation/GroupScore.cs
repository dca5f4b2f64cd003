namespace Fovea.Evaluation;

/// <summary>A metric of one group of items.</summary>
internal sealed record GroupScore(string Kind, string Group, int Items, string Metric, double Value);
