namespace Fovea;

/// <summary>What is recomputed in the backward pass instead of being kept. It never changes a result.</summary>
public enum RecomputeMode
{
    /// <summary>Blocks whose activations do not fit the memory budget.</summary>
    Auto,

    /// <summary>Every block; <c>true</c> means the same.</summary>
    Always,

    /// <summary>In every block only what is cheap to recompute: norms and the gate of the MLP.</summary>
    Selective,

    /// <summary>Nothing; <c>false</c> means the same.</summary>
    Never,
}
