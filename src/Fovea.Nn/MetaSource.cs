using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>Shapes without memory: to count and to plan.</summary>
internal sealed class MetaSource : IWeightSource
{
    public IReadOnlyCollection<string> Names => [];

    public bool Has(string name) => true;

    public Tensor Read(string name, long[] shape) => CreateOps.Empty(shape, DType.BF16, Device.Meta);
}
