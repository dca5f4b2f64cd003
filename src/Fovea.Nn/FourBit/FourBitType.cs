namespace Fovea.Nn.FourBit;

/// <summary>Which 16 numbers 4 bits stand for.</summary>
internal enum FourBitType
{
    /// <summary>Quantiles of a normal distribution.</summary>
    Nf4,

    /// <summary>Floating-point numbers of a sign, two bits of exponent and one of mantissa.</summary>
    Fp4,
}
