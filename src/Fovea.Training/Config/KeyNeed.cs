namespace Fovea.Training.Config;

/// <summary>What some keys need to be read at all.</summary>
/// <param name="Keys">Their names, parted by spaces.</param>
/// <param name="Needs">What they need, in the words that follow "only read".</param>
/// <param name="IsMet">Whether a configuration has it.</param>
internal sealed record KeyNeed(string Keys, string Needs, Func<TrainConfig, bool> IsMet)
{
    /// <summary>Whether it counts whatever a configuration is used for, and not for runs alone.</summary>
    public bool Everywhere { get; init; }
}
