using Fovea.Tensors;

namespace Fovea.Distributed;

/// <summary>Gradients on their way: when the sum is there, this rank's share of it is added to what it has.</summary>
internal sealed class Reduction(CollectiveHandle pending, Tensor sent, Tensor sum, Tensor gradient) : IDisposable
{
    public void Finish()
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("step");
        pending.Wait();
        gradient.Add_(OnHostOf(gradient));
        Dispose();
    }

    /// <summary>Where gradients lie in the host's memory, the sum comes through pinned memory.</summary>
    private Tensor OnHostOf(Tensor gradient) =>
        sum.Device == gradient.Device ? sum : CreateOps.Staging(sum.Shape, sum.DType, sum.Device).Copy_(sum);

    public void Dispose()
    {
        pending.Dispose();
        sent.Dispose();
        sum.Dispose();
    }
}
