using Fovea.Nn.FourBit;

namespace Fovea.Bench;

/// <summary>How the mid benchmark runs.</summary>
internal sealed record MidOptions
{
    public DType DType { get; init; } = DType.BF16;

    /// <summary>Measured steps, after two that warm up.</summary>
    public int Steps { get; init; } = 5;

    /// <summary>Compute each block again in the backward pass instead of keeping its activations.</summary>
    public bool Recompute { get; init; }

    /// <summary>Compute again only what is cheap: norms and the gate of the MLP.</summary>
    public bool Selective { get; init; }

    /// <summary>Keep the language model's linears in 4 bits.</summary>
    public FourBitOptions? FourBit { get; init; }

    /// <summary>Adapters with magnitudes (DoRA).</summary>
    public bool Decomposed { get; init; }

    /// <summary>Take the image features of the first step in all later ones, as from the second epoch on.</summary>
    public bool CachedVision { get; init; }

    /// <summary>Run the same job in PyTorch and Transformers, step by step in turns.</summary>
    public bool Peer { get; init; }

    /// <summary>The peer's attention; null for the faster one: eager in bf16, sdpa in fp32.</summary>
    public string? PeerAttention { get; init; }
}
