using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>Rotary position embedding in its rotate-half form: x cos + rotate_half(x) sin (arXiv 2104.09864).</summary>
/// <param name="Cos">[T, D] or [T, 1, D]: one row a token.</param>
public sealed record Rotary(Tensor Cos, Tensor Sin)
{
    /// <summary>theta^(-2i/D) for i below D/2, in fp32 as the reference computes them.</summary>
    public static float[] InverseFrequencies(int dims, double theta)
    {
        var frequencies = new float[dims / 2];
        for (var i = 0; i < frequencies.Length; i++)
        {
            frequencies[i] = 1f / MathF.Pow((float)theta, 2f * i / dims);
        }

        return frequencies;
    }

    /// <param name="x_THD">One vector a token and head.</param>
    public Tensor Apply(Tensor x_THD)
    {
        var half = x_THD.Size(-1) / 2;
        var halves = x_THD.Split([half, half], -1);
        var rotated = ShapeOps.Cat([halves[1].Neg(), halves[0]], -1);
        return x_THD.Mul(Cos).Add(rotated.Mul(Sin));
    }
}
