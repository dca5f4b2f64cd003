namespace Fovea.Training.Session;

/// <summary>How a run ended.</summary>
/// <param name="Step">Optimizer steps done in all.</param>
/// <param name="Interrupted">Whether it was stopped on request before its end; everything is saved.</param>
/// <param name="TrainLoss">Mean loss over all steps; null where none is known.</param>
internal sealed record RunOutcome(int Step, bool Interrupted, double? TrainLoss)
{
    /// <summary>The checkpoint that the result was taken from; null where it is the last weights.</summary>
    public string? BestCheckpoint { get; init; }
}
