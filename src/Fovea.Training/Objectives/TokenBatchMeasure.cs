namespace Fovea.Training.Objectives;

/// <summary>What a held-out micro-batch came to, with the cross-entropy of each labelled token.</summary>
/// <param name="TokenLosses">Cross-entropy of each labelled token [L], in the order of the batch's loss index.</param>
internal sealed record TokenBatchMeasure(double Loss, IReadOnlyList<double> Sums, float[] TokenLosses) : BatchMeasure(Loss, Sums);
