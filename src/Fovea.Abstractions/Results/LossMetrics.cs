namespace Fovea;

/// <summary>What a model's loss on held-out samples is.</summary>
/// <param name="Samples">How many samples were measured.</param>
/// <param name="Loss">Mean cross entropy per trained token, in nats, as Transformers' evaluation averages it; null where no token is predicted.</param>
/// <param name="Perplexity">e to the power of the mean over all tokens; null where no token is predicted.</param>
/// <param name="TokenAccuracy">Share of the trained tokens that have the largest logit, 0 to 1; null where no token is predicted.</param>
public sealed record LossMetrics(int Samples, double? Loss, double? Perplexity, double? TokenAccuracy);
