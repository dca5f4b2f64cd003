using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>Rotary position embedding in its rotate-half form: x cos + rotate_half(x) sin (arXiv 2104.09864).</summary>
/// <param name="Cos">fp32 [T, D]: one row a token.</param>
/// <param name="Sin">As <paramref name="Cos"/>.</param>
internal sealed record Rotary(Tensor Cos, Tensor Sin)
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

    /// <param name="x_THD">One vector a token and head; computed in fp32 whatever its element type.</param>
    public Tensor Apply(Tensor x_THD) => x_THD.Rotary(Cos, Sin);
}
