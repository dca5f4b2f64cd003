namespace Fovea.Events;

/// <summary>All steps are done and the result is on disk.</summary>
/// <param name="Step">Steps done in total.</param>
/// <param name="Epoch">Epochs done, fractional.</param>
/// <param name="TrainLoss">Mean of the step losses of the whole run; null if unknown, as when another program had done all steps.</param>
/// <param name="RuntimeSeconds">Wall time of training.</param>
public sealed record RunFinished(int Step, double Epoch, double? TrainLoss, double RuntimeSeconds) : RunEvent
{
    /// <summary>Samples trained on since this process started, for samples per second.</summary>
    public double SamplesTrained { get; init; }

    /// <summary>Steps done since this process started; null means <see cref="Step"/>, as in a run that was not resumed.</summary>
    public int? StepsTrained { get; init; }

    /// <summary>Floating-point operations of the run as Transformers counts them: 6 x parameters x tokens.</summary>
    public double TotalFlos { get; init; }

    /// <summary>Total tokens through the model.</summary>
    public long TotalTokens { get; init; }

    /// <summary>Peak memory in use, in bytes; null when unknown.</summary>
    public long? PeakMemoryBytes { get; init; }

    /// <summary>Results by kind, for the closing summary: <c>adapter</c> -> path, <c>logs</c> -> path.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Paths { get; init; } = [];
}
