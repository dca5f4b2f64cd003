using Fovea.Tensors;

namespace Fovea.Models;

/// <summary>
/// Losses that arise inside a forward pass besides that of the trained tokens, such as a router's: numbers without dimensions, weighed already.
/// Blocks that are computed again in the backward pass add nothing.
/// </summary>
internal sealed class SideLosses
{
    private readonly List<Tensor> losses = [];
    private bool closed;

    /// <summary>To be called by a block inside its own scope; the loss then belongs to the scope around the block.</summary>
    public void Add(Tensor loss)
    {
        if (!closed)
        {
            losses.Add(TensorScope.Current?.Release(loss) ?? loss);
        }
    }

    /// <summary>Ends the forward pass. The sum of everything added, or null when nothing was.</summary>
    public Tensor? Close()
    {
        closed = true;
        return losses.Count == 0 ? null : losses.Aggregate((sum, loss) => sum.Add(loss));
    }
}
