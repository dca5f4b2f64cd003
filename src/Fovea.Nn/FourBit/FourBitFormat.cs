using Fovea.Tensors;

namespace Fovea.Nn.FourBit;

/// <summary>
/// How weights are kept in 4 bits (QLoRA, arXiv 2305.14314), as bitsandbytes does: NF4, whose codes are quantiles of a normal distribution, or FP4, whose codes
/// are small floating-point numbers; scales of 64 numbers each, which double quantisation keeps as bytes.
/// </summary>
internal sealed class FourBitFormat : IDisposable
{
    /// <summary>Numbers that share a scale, unless files say otherwise.</summary>
    public const int UsualBlock = 64;

    /// <summary>Numbers whose scales share one of their own.</summary>
    public const int NestedBlock = 256;

    // As bitsandbytes writes them into its files (quant_map): quantiles of a normal distribution brought to [-1, 1], with zero among them.
    private static readonly float[] Nf4 =
    [
        -1f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0f,
        0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f,
        0.7229568362236023f, 1f,
    ];

    // By their bits: a sign, two for the exponent, one of mantissa; the largest magnitude is 1.
    private static readonly float[] Fp4 = [.. Magnitudes(1), .. Magnitudes(-1)];

    public FourBitFormat(FourBitOptions options, Device device)
        : this(options.Type == FourBitType.Nf4 ? Nf4 : Fp4, options.DoubleQuantization ? UsualMap() : null, UsualBlock, device)
    {
    }

    /// <param name="code">16 numbers.</param>
    /// <param name="map">256 numbers, ascending; null where scales are kept in fp32.</param>
    /// <param name="block">Numbers that share a scale.</param>
    public FourBitFormat(float[] code, float[]? map, int block, Device device)
    {
        using var scope = TensorScope.Open("codes");
        (Codes, Scales, Block) = (code, map, block);
        Code = CreateOps.On(device, code, code.Length).Keep();
        Map = map is null ? null : CreateOps.On(device, map, map.Length).Keep();
    }

    /// <summary>Numbers that share a scale.</summary>
    public int Block { get; }

    /// <summary>fp32 [16]</summary>
    public Tensor Code { get; }

    /// <summary>The values of a byte that stands for a scale, fp32 [256], ascending; null where scales are kept in fp32.</summary>
    public Tensor? Map { get; }

    internal float[] Codes { get; }

    internal float[]? Scales { get; }

    /// <summary>Whether weights of both are read alike.</summary>
    public bool Equals(float[] code, float[]? map, int block) =>
        block == Block && code.AsSpan().SequenceEqual(Codes) && (map is null) == (Scales is null) && map.AsSpan().SequenceEqual(Scales);

    public void Dispose()
    {
        Code.Dispose();
        Map?.Dispose();
    }

    private static float[] UsualMap()
    {
        using var scope = TensorScope.Open("codes");
        return FourBitOps.FourBitScaleMap().ToArray<float>();
    }

    private static IEnumerable<float> Magnitudes(int sign) => new[] { 0f, 0.0625f, 8f, 12f, 4f, 6f, 2f, 3f }.Select(x => sign * x / 12f);
}
