namespace Fovea;

/// <summary>How a fine-tuning run ended.</summary>
/// <param name="OutputFolder">Folder with the adapter or model, checkpoints and logs.</param>
/// <param name="Steps">Total optimizer steps, including those done before resuming.</param>
/// <param name="Interrupted">Whether it was cancelled before its last step. A checkpoint was saved; running the same description again resumes from it.</param>
/// <param name="TrainLoss">Mean loss over all steps; null if unknown.</param>
public sealed record FineTuneResult(string OutputFolder, int Steps, bool Interrupted, double? TrainLoss)
{
    /// <summary>The checkpoint from which an interrupted run resumes; null if the run finished.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>
    /// The loss on held-out samples after the last step; null if none were given, each dataset has numbers of its own (<see cref="HeldOutByDataset"/>), or the
    /// run was interrupted.
    /// </summary>
    public LossMetrics? HeldOut { get; init; }

    /// <summary>The loss on each held-out dataset after the last step, by name, where each has its own (<c>eval_on_each_dataset</c>); else empty.</summary>
    public IReadOnlyDictionary<string, LossMetrics> HeldOutByDataset { get; init; } = new Dictionary<string, LossMetrics>();

    /// <summary>
    /// Metrics of generated answers after the last step, by name without the <c>eval_</c> prefix (<c>DATASET_NAME</c> where each dataset has its own); empty if
    /// none were generated.
    /// </summary>
    public IReadOnlyDictionary<string, double> AnswerMetrics { get; init; } = new Dictionary<string, double>();

    /// <summary>The checkpoint that the result was taken from if the best was asked for; null if it is the last weights.</summary>
    public string? BestCheckpoint { get; init; }
}
