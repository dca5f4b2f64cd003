namespace Fovea.Distributed;

/// <summary>What is sharded over the ranks, by ZeRO's stages (arXiv 1910.02054), and where a rank's shards are kept.</summary>
internal sealed record ShardingOptions
{
    /// <summary>0 nothing, 1 the optimizer's state, 2 gradients too, 3 parameters too, the frozen ones included.</summary>
    public int Stage { get; init; }

    /// <summary>The optimizer's state (moments and fp32 masters) lies in the host's memory, and the update runs there.</summary>
    public bool OffloadOptimizer { get; init; }

    /// <summary>A rank's part of the parameters lies in the host's memory (stage 3).</summary>
    public bool OffloadParameters { get; init; }

    /// <summary>What lies in the host's memory is locked there, so that it can be copied while the device computes.</summary>
    public bool PinMemory { get; init; } = true;

    /// <summary>A model that is trained in full is written whole at the end, gathered from all ranks (stage 3).</summary>
    public bool SaveWhole { get; init; } = true;

    /// <summary>A weight, and a rank's part of one, begins at a multiple of so many elements: 64, so that kernels meet aligned memory, or more.</summary>
    public long Alignment { get; init; } = 64;

    /// <summary>Whether anything is sharded or offloaded at all.</summary>
    public bool Shards => Stage > 0;
}
