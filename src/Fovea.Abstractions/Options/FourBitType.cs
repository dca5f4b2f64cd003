namespace Fovea;

/// <summary>Which 16 numbers 4 bits stand for.</summary>
public enum FourBitType
{
    /// <summary>Quantiles of a normal distribution.</summary>
    Nf4 = 0,

    /// <summary>Floating-point numbers of a sign, two bits of exponent and one of mantissa.</summary>
    Fp4 = 1,
}
