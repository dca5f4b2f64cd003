namespace Fovea.Evaluation.Custom;

/// <summary>The score of one answer.</summary>
/// <param name="Score">0 to 1.</param>
/// <param name="Note">How the answer was read; null where it was taken as it stands.</param>
/// <param name="Others">Further numbers, in the order of <see cref="CustomMetric.Others"/>.</param>
internal sealed record CustomScore(double Score, string? Note = null, params IReadOnlyList<double> Others);
