namespace Fovea.Events;

/// <summary>The numbers of a logging step (every <c>logging_steps</c>).</summary>
/// <param name="Step">Steps done, from 1.</param>
/// <param name="TotalSteps">Steps of the whole run.</param>
/// <param name="Loss">Mean of the step losses since the last log; null if no step had one.</param>
/// <param name="GradNorm">L2 norm of the last step's gradient before clipping; null if it trained no token.</param>
/// <param name="LearningRate">The learning rate of the last step.</param>
/// <param name="Epoch">Epochs done, fractional.</param>
public sealed record StepLogged(int Step, int TotalSteps, double? Loss, double? GradNorm, double LearningRate, double Epoch) : RunEvent
{
    /// <summary>Tokens through the model since the run started, all ranks; null when not counted.</summary>
    public long? TotalTokens { get; init; }

    /// <summary>Tokens per second of wall time over the steps of this log, all ranks.</summary>
    public double? TokensPerSecond { get; init; }

    /// <summary>Samples per second of wall time over the steps of this log, all ranks.</summary>
    public double? SamplesPerSecond { get; init; }

    /// <summary>Bytes in use: device memory on an accelerator, anonymous resident memory on a CPU.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Bytes reserved by the device's caching allocator; null on a CPU.</summary>
    public long? MemoryReservedBytes { get; init; }
}
