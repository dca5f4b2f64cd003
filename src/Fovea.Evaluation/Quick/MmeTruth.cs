namespace Fovea.Evaluation.Quick;

/// <summary>The expected answer of a question of MME, its category, and the image that it shares with another question.</summary>
internal sealed record MmeTruth(bool Yes, string Category, string Image);
