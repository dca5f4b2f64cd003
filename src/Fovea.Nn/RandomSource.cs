using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>Fresh weights: matrices normal with the given deviation, gains (vectors named weight) one, biases zero. Draws from the default generator.</summary>
internal sealed class RandomSource(double deviation) : IWeightSource
{
    public IReadOnlyCollection<string> Names => [];

    public bool Has(string name) => true;

    public Tensor Read(string name, long[] shape)
    {
        if (name.EndsWith("bias", StringComparison.Ordinal))
        {
            return CreateOps.Zeros(shape);
        }

        return shape.Length == 1 ? CreateOps.Ones(shape) : CreateOps.Empty(shape).Normal_(0, deviation);
    }
}
