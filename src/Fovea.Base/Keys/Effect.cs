namespace Fovea.Keys;

/// <summary>What a key of the configuration changes.</summary>
internal enum Effect
{
    /// <summary>What is learnt: a resumed run compares it with what its checkpoint was made with.</summary>
    Learning,

    /// <summary>Where and how it is computed, which changes no more than rounding: a resumed run may differ.</summary>
    Execution,

    /// <summary>What is written, measured or made of the result: a resumed run may differ.</summary>
    Output,
}
