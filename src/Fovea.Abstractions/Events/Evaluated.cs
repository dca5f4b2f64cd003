namespace Fovea.Events;

/// <summary>An evaluation has finished.</summary>
/// <param name="Step">Training steps done.</param>
/// <param name="TotalSteps">Steps of the whole run.</param>
/// <param name="Epoch">Epochs done, fractional.</param>
/// <param name="Loss">Mean loss over the evaluation set; null if none of its tokens is predicted.</param>
/// <param name="RuntimeSeconds">Wall time of the evaluation.</param>
/// <param name="Samples">Samples evaluated, all ranks.</param>
/// <param name="Batches">Batches of <c>per_device_eval_batch_size</c>, all ranks.</param>
public sealed record Evaluated(int Step, int TotalSteps, double Epoch, double? Loss, double RuntimeSeconds, int Samples, int Batches) : RunEvent
{
    /// <summary>
    /// The dataset whose numbers these are, where each has its own (<c>eval_on_each_dataset</c>): its metrics are logged as <c>eval_DATASET_NAME</c>.
    /// Null where all held-out samples are measured together.
    /// </summary>
    public string? Dataset { get; init; }

    /// <summary>True for the evaluation after the last step, whose numbers go to <c>eval_results.json</c>.</summary>
    public bool Final { get; init; }

    /// <summary>More metrics under names without the <c>eval_</c> prefix.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>Metrics of generated answers under names without the <c>eval_</c> prefix; empty if none were generated.</summary>
    public IReadOnlyDictionary<string, double> AnswerMetrics { get; init; } = new Dictionary<string, double>();
}
