using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>x / sqrt(mean(x^2) + epsilon) * (weight + shift) over the last dimension, the mean in fp32 (arXiv 1910.07467).</summary>
/// <param name="shift">1 where weights lie around 0; the sum is never rounded.</param>
internal sealed class RmsNorm(Weights w, long width, double epsilon, double shift = 0)
{
    public Parameter Weight { get; } = w.Take("weight", width);

    public Tensor Forward(Tensor x) => x.RmsNorm(Weight.Use(), epsilon, shift);
}
