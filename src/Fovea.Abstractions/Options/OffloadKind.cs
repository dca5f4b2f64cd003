namespace Fovea;

/// <summary>What lies in the host's memory instead of the device's (<c>offload</c>).</summary>
public enum OffloadKind
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The optimizer's state, and its update runs there.</summary>
    Optimizer,

    /// <summary>A rank's part of the weights too.</summary>
    Cpu,
}
