using Fovea.Tensors;

namespace Fovea.Nn.Lora;

/// <summary>
/// The matrices with which an adapter began as a part of its weight (PiSSA, OLoRA), on the host: by them what is left of the weight is made again to the
/// bit, and the adapter is turned into one that works over the whole weight.
/// </summary>
/// <param name="A">[r, in]</param>
/// <param name="B">[out, r]</param>
internal sealed record InitialFactors(Tensor A, Tensor B) : IDisposable
{
    /// <summary>An adapter's matrices as they are now.</summary>
    public static InitialFactors Of(LoraAdapter adapter)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("weight");
        return Of(adapter.A.Value, adapter.B.Value);
    }

    /// <summary>Copies.</summary>
    public static InitialFactors Of(Tensor a, Tensor b) => new(Copy(a), Copy(b));

    /// <summary>What is left of the weight [out, in], in its type; computed in fp32.</summary>
    public Tensor Rest(Tensor weight, double scale)
    {
        var (a, b) = (A.To(weight.Device).To(DType.F32), B.To(weight.Device).To(DType.F32));
        return weight.To(DType.F32).Sub(b.MatMul(a).Mul_(scale)).To(weight.DType);
    }

    public void Dispose()
    {
        A.Dispose();
        B.Dispose();
    }

    private static Tensor Copy(Tensor x)
    {
        var host = x.Detach().To(Device.Cpu);
        return (x.Device.Type == DeviceType.Cpu ? host.Clone() : host).Keep();
    }
}
