namespace Fovea.Training.Engine;

/// <summary>What one packed micro-batch came to.</summary>
/// <param name="Loss">Its part of the step's loss: the sum of weight times cross-entropy over its trained tokens.</param>
/// <param name="TokenLosses">Cross-entropy of each trained token, in the order of the batch's loss index.</param>
public sealed record MicroBatchResult(double Loss, float[] TokenLosses)
{
    /// <summary>Trained tokens that had the largest logit; counted in evaluation only.</summary>
    public long Hits { get; init; }
}
