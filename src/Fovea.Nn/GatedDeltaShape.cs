using Fovea.Tensors;

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

    /// <summary>Queries and keys [T, J, K] and values [T, H, V] as they lie in what the convolution leaves [T, C]; nothing is copied.</summary>
    public (Tensor Q, Tensor K, Tensor V) Parts(Tensor mixed_TC)
    {
        var parts = mixed_TC.Split([Keys, Keys, Values], -1);
        return (parts[0].View(-1, KeyHeads, KeySize), parts[1].View(-1, KeyHeads, KeySize), parts[2].View(-1, ValueHeads, ValueSize));
    }
}
