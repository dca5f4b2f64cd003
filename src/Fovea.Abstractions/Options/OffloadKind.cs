namespace Fovea;

/// <summary>What is kept in host memory instead of device memory (<c>offload</c>).</summary>
public enum OffloadKind
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The optimizer state; its update runs there.</summary>
    Optimizer,

    /// <summary>A rank's shards of the weights too.</summary>
    Cpu,
}
