using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>(x - mean) / sqrt(variance + epsilon) * weight + bias over the last dimension (arXiv 1607.06450).</summary>
internal sealed class LayerNorm
{
    private readonly double epsilon;

    public LayerNorm(Weights w, long width, double epsilon)
    {
        this.epsilon = epsilon;
        Weight = w.Take("weight", width);
        Bias = w.Take("bias", width);
        Weight.IsNorm = Bias.IsNorm = true;
    }

    public Parameter Weight { get; }

    public Parameter Bias { get; }

    public Tensor Forward(Tensor x) => x.LayerNorm(Weight.Use(), Bias.Use(), epsilon);
}
