namespace Fovea.Events;

/// <summary>All held-out samples are answered, and the answers are written.</summary>
/// <param name="Samples">Samples with an answer.</param>
/// <param name="Batches">Batches of <c>per_device_eval_batch_size</c>.</param>
/// <param name="RuntimeSeconds">Wall time of answering, interrupted calls included.</param>
/// <param name="PreparationSeconds">Wall time of loading the model.</param>
public sealed record PredictionFinished(int Samples, int Batches, double RuntimeSeconds, double PreparationSeconds) : RunEvent
{
    /// <summary>Metrics of the answers under names without the <c>predict_</c> prefix.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>What was written: a name for people and the path.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Paths { get; init; } = [];
}
