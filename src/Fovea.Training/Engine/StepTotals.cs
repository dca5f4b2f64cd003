using Fovea.Data.Packing;
using Fovea.Distributed;

namespace Fovea.Training.Engine;

/// <summary>What all ranks together do in one optimizer step.</summary>
/// <param name="TrainedTokens">Tokens that are predicted.</param>
/// <param name="Tokens">Tokens through the model.</param>
/// <param name="EmptyGroups">Batches in which nothing is trained.</param>
public sealed record StepTotals(long TrainedTokens, long Tokens, long Samples, long EmptyGroups)
{
    /// <summary>Adds up this rank's part and the others'.</summary>
    public static StepTotals Of(StepBatch batch, Mesh mesh)
    {
        var sums = mesh.Sum("the count of a step's tokens", batch.TrainedTokens, batch.Tokens, batch.Samples, batch.EmptyGroups);
        return new StepTotals((long)sums[0], (long)sums[1], (long)sums[2], (long)sums[3]);
    }
}
