using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>x / sqrt(mean(x^2) + epsilon) * weight over the last dimension, the mean in fp32 (arXiv 1910.07467).</summary>
internal sealed class RmsNorm(Weights w, long width, double epsilon)
{
    public Parameter Weight { get; } = w.Take("weight", width);

    public Tensor Forward(Tensor x) => x.RmsNorm(Weight.Use(), epsilon);
}
