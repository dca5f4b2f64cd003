using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Distributed;

/// <summary>The exchange of the ranks of a mesh that split sequences (<see cref="Mesh.SplitSequences"/>).</summary>
internal sealed class SequenceExchange(Mesh mesh) : ISequenceExchange
{
    public int Size => mesh.SequenceSize;

    public int Rank => mesh.SequenceRank;

    /// <summary>The exchange of those ranks; null where every rank has its own tokens.</summary>
    public static SequenceExchange? Of(Mesh mesh) => mesh.SequenceSize == 1 ? null : new SequenceExchange(mesh);

    // What goes back is exchanged in the same way: the gradient of a part belongs to whom the part came from.
    public Tensor Swap(Tensor x_NX, string what) => Autograd.Step(x_NX, x => Sent(x, what), gradient => Sent(gradient, $"the gradients of {what}"));

    public double[] Sum(string what, ReadOnlySpan<double> values) => mesh.SumOfNeighbours(what, values);

    private Tensor Sent(Tensor x, string what)
    {
        var parts = x.Contiguous();
        var received = CreateOps.Empty(x.Shape, x.DType, x.Device);
        mesh.Exchange(received, parts, what).Wait();
        return received;
    }
}
