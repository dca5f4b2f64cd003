namespace Fovea.Training.Config;

/// <summary>What a configuration is loaded for: decides which keys must be there.</summary>
internal enum ConfigUse
{
    Train,
    Data,
    Chat,
    Export,
    Evaluate,

    /// <summary>Counting memory: the model's shapes alone.</summary>
    Plan,

    /// <summary>Nothing is required.</summary>
    Any,

    /// <summary>As <see cref="Any"/>, by several processes: how weights are sharded counts.</summary>
    AnyRanks,
}
