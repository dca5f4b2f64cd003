namespace Fovea.Data.Packing;

/// <summary>How a step's samples are packed and weighed.</summary>
internal sealed record PlanOptions
{
    /// <summary>Most tokens of a micro-batch; a longer sample gets one of its own.</summary>
    public int MicroBatchTokens { get; init; } = 4096;

    public LossReduction Reduction { get; init; } = LossReduction.Token;

    /// <summary><c>gradient_accumulation_steps</c>, for <see cref="LossReduction.Accumulate"/>.</summary>
    public int Accumulation { get; init; } = 1;

    /// <summary>Ranks that share the step.</summary>
    public int WorldSize { get; init; } = 1;
}
