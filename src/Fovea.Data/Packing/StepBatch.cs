using Fovea.Data.Datasets;

namespace Fovea.Data.Packing;

/// <summary>All that one rank does in one optimizer step. Disposing it returns the pixel buffers.</summary>
public sealed class StepBatch : IDisposable
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

    public int Samples => MicroBatches.Sum(b => b.Samples);

    public long Tokens => MicroBatches.Sum(b => (long)b.Tokens);

    /// <summary>
    /// Says how many tokens all ranks train in this step, once they know of each other. Needed with more than one rank and
    /// <see cref="LossReduction.Token"/>; changes nothing with <see cref="LossReduction.Mean"/>.
    /// </summary>
    public void WeighBy(long trainedTokensOfAllRanks)
    {
        if (Reduction != LossReduction.Token || trainedTokensOfAllRanks <= 0)
        {
            return;
        }

        var weight = (float)(1.0 / trainedTokensOfAllRanks);
        foreach (var batch in MicroBatches)
        {
            Array.Fill(batch.LossWeight, weight);
        }
    }

    public void Dispose()
    {
        foreach (var batch in MicroBatches)
        {
            batch.Dispose();
        }
    }
}
