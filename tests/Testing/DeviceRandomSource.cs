using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Testing;

/// <summary>Fresh weights drawn on the device itself, so that billions of them never pass through the CPU: matrices normal, gains one, biases zero.</summary>
internal sealed class DeviceRandomSource(Device device, DType dtype, double deviation) : IWeightSource
{
    public IReadOnlyCollection<string> Names => [];

    public bool Has(string name) => true;

    public Tensor Read(string name, long[] shape) =>
        name.EndsWith("bias", StringComparison.Ordinal) ? CreateOps.Zeros(shape, dtype, device)
        : shape.Length == 1 ? CreateOps.Ones(shape, dtype, device)
        : CreateOps.Empty(shape, dtype, device).Normal_(0, deviation);
}
