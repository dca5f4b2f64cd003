namespace Fovea;

/// <summary>A model's loss on held-out samples.</summary>
/// <param name="Samples">How many samples were measured.</param>
/// <param name="Loss">Mean cross-entropy per trained token, in nats, as Transformers' evaluation averages it; null if no token is predicted.</param>
/// <param name="Perplexity">e to the power of the mean over all tokens; null if no token is predicted.</param>
/// <param name="TokenAccuracy">Fraction of the trained tokens that have the largest logit, 0 to 1; null if no token is predicted.</param>
public sealed record LossMetrics(int Samples, double? Loss, double? Perplexity, double? TokenAccuracy);
