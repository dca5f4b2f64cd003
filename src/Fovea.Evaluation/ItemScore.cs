namespace Fovea.Evaluation;

/// <summary>How one item was answered.</summary>
/// <param name="Score">0 to 1 where the metric is a mean over items; for reports and paired tests.</param>
/// <param name="Note">How the answer was read, for instance normalised; null where nothing was changed.</param>
internal sealed record ItemScore(double Score, string? Note = null);
