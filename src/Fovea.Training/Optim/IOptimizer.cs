using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Training.Optim;

/// <summary>
/// Updates trainable weights from their gradients. Checkpoints and ranks see of it only its state by name, each tensor with a number for every element of its
/// part or about all of them, so that any optimizer can be saved, sharded and resumed.
/// </summary>
internal interface IOptimizer : IDisposable
{
    /// <summary>What it updates.</summary>
    IReadOnlyList<ParameterShard> Parts { get; }

    /// <summary>Everything that a resumed run needs, in the order of the parts; the tensors belong to the optimizer.</summary>
    IEnumerable<OptimizerState> State { get; }

    /// <summary>
    /// Clips the gradients together, makes one update and clears them, all queued on the device without waiting for it. When loss or norm is no finite
    /// number, weights and state stay as they are. The results belong to the open scope.
    /// </summary>
    /// <param name="rate">The learning rate of this step.</param>
    /// <param name="maxNorm">L2 norm to which the gradients are clipped; 0 is never.</param>
    /// <param name="loss">The loss of the step, one number on the device.</param>
    /// <param name="sumOverRanks">Where other ranks have the other parts: adds their numbers to one of this rank's.</param>
    /// <param name="scale">What gradients have been multiplied by (<see cref="LossScale"/>); the loss has not.</param>
    /// <returns>Loss and norm before clipping, fp64 [2] on the device of the weights.</returns>
    Tensor Update(double rate, double maxNorm, Tensor loss, Func<Tensor, Tensor>? sumOverRanks = null, double scale = 1);

    /// <summary>Drops the gradients of all parts.</summary>
    void ClearGradients();

    /// <summary>Takes back what <see cref="State"/> gave.</summary>
    /// <param name="read">Supplies what was saved of one of them, as many elements in a row; it belongs to the open scope.</param>
    void Restore(Func<OptimizerState, Tensor> read);
}
