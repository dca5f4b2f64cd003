namespace Fovea.Training.Config;

/// <summary>What a configuration is loaded for: decides which keys must be there.</summary>
public enum ConfigUse
{
    Train,
    Data,
    Chat,
    Export,
    Evaluate,

    /// <summary>Nothing is required.</summary>
    Any,
}
