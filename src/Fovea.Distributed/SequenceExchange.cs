using Fovea.Nn;
using Fovea.Tensors;
using Fovea.Tensors.Collectives;

namespace Fovea.Distributed;

/// <summary>Neighbouring ranks of a mesh that split the tokens of a micro-batch (<see cref="Mesh.SplitSequences"/>), and what they exchange.</summary>
internal sealed class SequenceExchange(Mesh mesh, ProcessGroup group, int size) : ISequenceExchange, IDisposable
{
    public int Size => size;

    public int Rank => mesh.Rank % size;

    /// <summary>Connects those ranks.</summary>
    internal ProcessGroup Group => group;

    // What goes back is exchanged in the same way: the gradient of a part belongs to whom the part came from.
    public Tensor Swap(Tensor x_NX, string what) => Autograd.Step(x_NX, x => Sent(x, what), gradient => Sent(gradient, $"the gradients of {what}"));

    public double[] Sum(string what, ReadOnlySpan<double> values)
    {
        using var scope = TensorScope.Open("step");
        var numbers = CreateOps.From(values);
        var x = ProcessGroup.HasGloo ? numbers : numbers.To(mesh.Device);
        mesh.Start(CollectiveKind.AllReduce, x, x, what, among: this).Wait();
        return x.ToArray<double>();
    }

    public void Dispose() => group.Dispose();

    private Tensor Sent(Tensor x, string what)
    {
        var parts = x.Contiguous();
        var received = CreateOps.Empty(x.Shape, x.DType, x.Device);
        mesh.Start(CollectiveKind.AllToAll, FlatTensor.Bytes(received), FlatTensor.Bytes(parts), what, among: this).Wait();
        return received;
    }
}
