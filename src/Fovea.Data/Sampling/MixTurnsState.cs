namespace Fovea.Data.Sampling;

/// <summary>Where the turns of a mix stand.</summary>
/// <param name="Last">The dataset that had the last turn.</param>
/// <param name="Random">What the next are drawn from.</param>
internal sealed record MixTurnsState(int Last, IReadOnlyList<bool> Ended, string Random);
