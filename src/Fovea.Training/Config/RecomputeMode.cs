namespace Fovea.Training.Config;

/// <summary>Which blocks are computed again in the backward pass instead of keeping their activations. Cannot change a result.</summary>
public enum RecomputeMode
{
    /// <summary>Those whose activations do not fit the memory budget.</summary>
    Auto,

    /// <summary>All; written <c>true</c> as well.</summary>
    Always,

    /// <summary>None; written <c>false</c> as well.</summary>
    Never,
}
