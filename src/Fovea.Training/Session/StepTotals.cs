using Fovea.Data.Packing;
using Fovea.Distributed;

namespace Fovea.Training.Session;

/// <summary>What all ranks together do in one optimizer step.</summary>
/// <param name="TrainedTokens">Tokens that are predicted.</param>
/// <param name="Tokens">Tokens through the model.</param>
/// <param name="Groups">Batches whose means are averaged, where the loss is such an average.</param>
/// <param name="EmptyGroups">Batches in which nothing is trained.</param>
internal sealed record StepTotals(long TrainedTokens, long Tokens, long Samples, long Groups, long EmptyGroups)
{
    /// <summary>The step's number, from 0.</summary>
    public required int Step { get; init; }

    public required LossReduction Reduction { get; init; }

    /// <summary>What the sum of the batches' means is divided by: those of this rank, times ranks.</summary>
    public required long Means { get; init; }

    /// <summary>Whether anything is trained.</summary>
    public bool Trains => TrainedTokens > 0;

    /// <summary>Adds up this rank's part and the others'. Ranks that split the tokens of a micro-batch count it once, and must have the same.</summary>
    /// <exception cref="TrainingException">They do not.</exception>
    public static StepTotals Of(StepBatch batch, Mesh mesh)
    {
        var same = mesh.SequenceSize == 1 ? null : new SameBatches(batch, mesh.Rank, mesh.WorldSize, mesh.SequenceSize);
        var sums = mesh.Sum(
            "the count of a step's tokens", [batch.TrainedTokens, batch.Tokens, batch.Samples, batch.Groups, batch.EmptyGroups, .. same?.Mine ?? []]);
        same?.Check(sums.AsSpan(5));
        var all = Array.ConvertAll(sums, sum => (long)sum / mesh.SequenceSize);
        return new StepTotals(all[0], all[1], all[2], all[3], all[4])
        {
            Step = batch.Step,
            Reduction = batch.Reduction,
            Means = (long)batch.Groups * mesh.DataSize,
        };
    }

    /// <summary>This rank's part alone.</summary>
    public static StepTotals Of(StepBatch batch) => new(batch.TrainedTokens, batch.Tokens, batch.Samples, batch.Groups, batch.EmptyGroups)
    {
        Step = batch.Step,
        Reduction = batch.Reduction,
        Means = batch.Groups,
    };

    /// <summary>
    /// The loss of the step. Where it is a mean of batches' means, a batch without a trained token has none and does not count as 0; its gradient is none
    /// either way, and those of the others weigh what they did, as in Transformers.
    /// </summary>
    /// <param name="sum">Of weight times loss over all trained tokens.</param>
    public double Loss(double sum) =>
        Reduction == LossReduction.Token || EmptyGroups == 0 || EmptyGroups >= Groups ? sum : sum * Groups / (Groups - EmptyGroups);
}
