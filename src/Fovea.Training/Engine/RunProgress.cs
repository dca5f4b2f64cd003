namespace Fovea.Training.Engine;

/// <summary>Where a run stands, and what it was made of, so that a resumed run can tell whether it is the same one.</summary>
public sealed record RunProgress
{
    /// <summary>Optimizer steps done.</summary>
    public required int Step { get; init; }

    public required int TotalSteps { get; init; }

    /// <summary>Training samples of one epoch.</summary>
    public required int Samples { get; init; }

    /// <summary>Samples that make one step: batch size x accumulation x ranks.</summary>
    public required int SamplesPerStep { get; init; }

    public required long Seed { get; init; }

    /// <summary>Most tokens of a micro-batch: another packing rounds differently, so a resumed run keeps it.</summary>
    public int MicroBatchTokens { get; init; }

    /// <summary>Folder of the model that the run began with.</summary>
    public string? BaseModel { get; init; }

    /// <summary>Tokens through the model so far.</summary>
    public long Tokens { get; init; }

    /// <summary>Sum of the losses of all steps so far.</summary>
    public double LossSum { get; init; }
}
