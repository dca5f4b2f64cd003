namespace Fovea;

/// <summary>How a fine-tuning run ended.</summary>
/// <param name="OutputFolder">Folder of the adapter or model, of checkpoints and logs.</param>
/// <param name="Steps">Optimizer steps done in all, those of earlier processes included.</param>
/// <param name="Interrupted">Whether it was cancelled before its last step. A checkpoint was saved; running the same again goes on from it.</param>
/// <param name="TrainLoss">Mean loss over all steps; null where none is known.</param>
public sealed record FineTuneResult(string OutputFolder, int Steps, bool Interrupted, double? TrainLoss)
{
    /// <summary>The checkpoint that an interrupted run goes on from; null where it ended.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>The loss on held-out samples after the last step; null where none were given, or the run was interrupted.</summary>
    public LossMetrics? HeldOut { get; init; }
}
