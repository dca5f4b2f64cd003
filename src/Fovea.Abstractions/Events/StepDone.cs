namespace Fovea.Events;

/// <summary>One optimizer step is done. Emitted for every step, for progress displays; logs use <see cref="StepLogged"/>.</summary>
/// <param name="Step">Steps done, from 1.</param>
/// <param name="TotalSteps">Steps of the whole run.</param>
/// <param name="Loss">Loss of this step alone; null if it had no trained token.</param>
public sealed record StepDone(int Step, int TotalSteps, double? Loss) : RunEvent
{
    /// <summary>Tokens through the model per second of wall time, all ranks; null when unknown.</summary>
    public double? TokensPerSecond { get; init; }

    /// <summary>Tokens of this step through the model, all ranks; null when not counted.</summary>
    public long? Tokens { get; init; }

    /// <summary>Samples of this step, all ranks; null when not counted.</summary>
    public long? Samples { get; init; }

    /// <summary>Wall time of this step, waiting for its data included; evaluation and saving are not. Null when not measured.</summary>
    public double? Seconds { get; init; }

    /// <summary>Bytes in use: device memory on an accelerator, anonymous resident memory on a CPU; null when unknown.</summary>
    public long? MemoryBytes { get; init; }
}
