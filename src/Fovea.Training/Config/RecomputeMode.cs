namespace Fovea.Training.Config;

/// <summary>What is computed again in the backward pass instead of being kept. Cannot change a result.</summary>
internal enum RecomputeMode
{
    /// <summary>Those whose activations do not fit the memory budget.</summary>
    Auto,

    /// <summary>All; written <c>true</c> as well.</summary>
    Always,

    /// <summary>In every block only what is cheap: norms and the gate of the MLP.</summary>
    Selective,

    /// <summary>None; written <c>false</c> as well.</summary>
    Never,
}
