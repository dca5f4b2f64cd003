using Fovea.Tensors;

namespace Fovea.Distributed;

/// <summary>Gradients on their way: when the sum is there, this rank's share of it is added to what it has.</summary>
internal sealed class Reduction(Pending pending, Tensor sent, Tensor sum, Tensor gradient) : IDisposable
{
    public void Finish()
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("step");
        pending.Wait();
        gradient.Add_(sum.To(gradient.Device));
        Dispose();
    }

    public void Dispose()
    {
        pending.Dispose();
        sent.Dispose();
        sum.Dispose();
    }
}
