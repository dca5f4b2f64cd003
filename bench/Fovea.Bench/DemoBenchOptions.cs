namespace Fovea.Bench;

/// <summary>How the demo benchmark runs.</summary>
internal sealed record DemoBenchOptions
{
    /// <summary>The user's configuration; null for pictures and a small model of our own.</summary>
    public string? Config { get; init; }

    /// <summary>Keys that replace the configuration's, as <c>key=value</c>.</summary>
    public IReadOnlyList<string> Overrides { get; init; } = [];

    /// <summary>Whole runs of ours, or with the peer pairs of runs, after which ours runs once more.</summary>
    public int Rounds { get; init; } = 1;

    /// <summary>Train the same in PyTorch and Transformers, in turns.</summary>
    public bool Peer { get; init; }

    /// <summary>The peer's attention; null for the faster one: eager in bf16, sdpa in fp32.</summary>
    public string? PeerAttention { get; init; }

    /// <summary>Let the peer compute blocks again in the backward pass, which is LLaMA-Factory's default and slower.</summary>
    public bool PeerRecompute { get; init; }
}
