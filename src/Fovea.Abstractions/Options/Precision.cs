namespace Fovea;

/// <summary>Element types of a training run: of the computation and of the trained weights.</summary>
public enum Precision
{
    /// <summary>fp32 throughout.</summary>
    Fp32,

    /// <summary>Computation in bfloat16, trained weights in 32 bits (<c>bf16: true</c>).</summary>
    Bf16,

    /// <summary>Computation in 16-bit floats with a scaled loss, trained weights in 32 bits (<c>fp16: true</c>).</summary>
    Fp16,

    /// <summary>Computation and trained weights in bfloat16 (<c>pure_bf16: true</c>): least memory, but small updates are lost to rounding.</summary>
    PureBf16,
}
