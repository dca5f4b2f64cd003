namespace Fovea.Evaluation.Statistics;

/// <summary>Where a number lies with 95 % confidence.</summary>
internal readonly record struct Interval(double Low, double High);
