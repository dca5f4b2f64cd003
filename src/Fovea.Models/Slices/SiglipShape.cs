namespace Fovea.Models.Slices;

/// <summary>The sizes of SigLIP's blocks.</summary>
internal sealed record SiglipShape
{
    public required int Width { get; init; }

    public required int Heads { get; init; }

    public required int Inner { get; init; }

    public double NormEpsilon { get; init; } = 1e-6;

    /// <summary>The tanh form of GELU instead of the exact one.</summary>
    public bool TanhGelu { get; init; } = true;

    /// <summary>Weights are called as timm calls them, and those of queries, keys and values are one.</summary>
    public bool Timm { get; init; }
}
