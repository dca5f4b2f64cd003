using Fovea.Data.Datasets;

namespace Fovea.Data.Packing;

/// <summary>All that one rank does in one optimizer step. Disposing it returns the pixel buffers.</summary>
internal sealed class StepBatch : IDisposable
{
    /// <summary>The step's number, from 0.</summary>
    public required int Step { get; init; }

    public required IReadOnlyList<PackedBatch> MicroBatches { get; init; }

    public required LossReduction Reduction { get; init; }

    /// <summary>Trained tokens of this rank.</summary>
    public required long TrainedTokens { get; init; }

    /// <summary>What the means of batches are divided by where the loss is their mean: their number, or the steps of accumulation.</summary>
    public required int Groups { get; init; }

    /// <summary>Batches (of <c>per_device_train_batch_size</c>) in which nothing is trained.</summary>
    public required int EmptyGroups { get; init; }

    /// <summary>Samples that could not be used in this step, and so were left out or replaced.</summary>
    public IReadOnlyList<BadSample> BadSamples { get; internal set; } = [];

    /// <summary>Samples whose end was cut off.</summary>
    public int TruncatedSamples { get; init; }

    /// <summary>Whether the micro-batches belong to somebody else and outlive the step.</summary>
    public bool IsBorrowed { get; init; }

    public int Samples => MicroBatches.Sum(b => b.Samples);

    public long Tokens => MicroBatches.Sum(b => (long)b.Tokens);

    /// <summary>A step of one micro-batch that stays the caller's; all its trained tokens count the same.</summary>
    public static StepBatch Of(PackedBatch batch, int step = 0) => new()
    {
        Step = step,
        MicroBatches = [batch],
        Reduction = LossReduction.Token,
        TrainedTokens = batch.LossIndex.Length,
        Groups = 1,
        EmptyGroups = batch.LossIndex.Length == 0 ? 1 : 0,
        IsBorrowed = true,
    };

    public void Dispose()
    {
        foreach (var batch in IsBorrowed ? [] : MicroBatches)
        {
            batch.Dispose();
        }
    }
}
