namespace Fovea.Nn;

/// <summary>The sizes of a <see cref="GatedDeltaMixer"/>, as a checkpoint's config.json states them.</summary>
internal sealed record GatedDeltaShape
{
    public required int Width { get; init; }

    public required int KeyHeads { get; init; }

    public required int KeySize { get; init; }

    /// <summary>A multiple of the key heads.</summary>
    public required int ValueHeads { get; init; }

    public required int ValueSize { get; init; }

    /// <summary>Tokens that the convolution sees.</summary>
    public required int ConvolutionLength { get; init; }

    public required double NormEpsilon { get; init; }

    /// <summary>Of queries and of keys, each.</summary>
    public long Keys => (long)KeyHeads * KeySize;

    public long Values => (long)ValueHeads * ValueSize;

    /// <summary>Columns of the convolution: queries, keys and values.</summary>
    public long Columns => (2 * Keys) + Values;

    /// <summary>Tokens before the present one that the convolution sees.</summary>
    public int Memory => ConvolutionLength - 1;
}
