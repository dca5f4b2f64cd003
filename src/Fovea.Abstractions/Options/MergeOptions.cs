namespace Fovea;

/// <summary>How a merged model is written.</summary>
public sealed record MergeOptions
{
    /// <summary>Maximum file size, in bytes; at least 1, default 5 GB.</summary>
    public long MaxShardBytes { get; init; } = 5_000_000_000;

    /// <summary>
    /// Element type of the result: <see cref="Precision.Fp32"/>, <see cref="Precision.Bf16"/> or <see cref="Precision.Fp16"/>; null keeps that of the base.
    /// </summary>
    public Precision? Precision { get; init; }

    /// <summary>
    /// Writes linear layers in bitsandbytes' 4 bits, as Transformers loads them, and all else in <see cref="Precision"/>; null (the default) rounds nothing.
    /// </summary>
    public FourBitRounding? FourBit { get; init; }

    /// <summary>Write into a folder that is not empty; files of the same name are replaced.</summary>
    public bool Overwrite { get; init; }
}
