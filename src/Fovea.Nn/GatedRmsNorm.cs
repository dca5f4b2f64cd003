using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>silu(gate) * x / sqrt(mean(x^2) + epsilon) * weight, the mean over the last dimension of x in fp32.</summary>
internal sealed class GatedRmsNorm(Weights w, long width, double epsilon)
{
    private readonly Parameter weight = w.Take("weight", width);

    /// <param name="x">[..., width]</param>
    /// <param name="gate">As many numbers as x.</param>
    /// <returns>In the shape of the gate.</returns>
    public Tensor Forward(Tensor x, Tensor gate) => x.GatedNorm(gate, weight.Use(), epsilon);
}
