namespace Fovea.Nn;

/// <summary>What a block holds for its backward pass, from most to least. Cannot change a result.</summary>
internal enum BlockMode
{
    /// <summary>Everything.</summary>
    Keep,

    /// <summary>Everything but what is cheap to compute again: outputs of norms and of the gate of the MLP.</summary>
    Selective,

    /// <summary>Its input; the block is computed again.</summary>
    Recompute,

    /// <summary>Nothing on the device: its input waits in the host's memory (<see cref="HostInputs"/>); the block is computed again.</summary>
    Offload,
}
