using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>What the ranks that split the tokens of a micro-batch do together. All of them do the same in the same order, forward and backward.</summary>
/// <remarks>Suffixes: N ranks, X all other dimensions.</remarks>
internal interface ISequenceExchange
{
    /// <summary>Number of ranks.</summary>
    int Size { get; }

    /// <summary>Number of this one.</summary>
    int Rank { get; }

    /// <summary>Part p goes to rank p, and in its place lies what came from rank p. Recorded for gradients, which go the same way back.</summary>
    /// <param name="x_NX">One part for each rank.</param>
    /// <param name="what">For messages and traces.</param>
    Tensor Swap(Tensor x_NX, string what);

    /// <summary>The sum over the ranks of each number.</summary>
    double[] Sum(string what, ReadOnlySpan<double> values);
}
