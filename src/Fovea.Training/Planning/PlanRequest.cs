using Fovea.Training.Config;

namespace Fovea.Training.Planning;

/// <summary>What <c>fovea plan</c> is asked for.</summary>
internal sealed record PlanRequest
{
    public IReadOnlyList<int> Ranks { get; init; } = [1, 2, 4, 8];

    /// <summary>Null: all that make sense.</summary>
    public IReadOnlyList<int>? Stages { get; init; }

    public IReadOnlyList<OffloadKind> Offloads { get; init; } = [OffloadKind.None, OffloadKind.Optimizer, OffloadKind.Cpu];

    /// <summary>Memory of one card, or of one rank on the CPU; null where nothing must fit.</summary>
    public MemorySize? Card { get; init; }

    /// <summary>Tokens of the longest sample; null is <c>cutoff_len</c>.</summary>
    public int? Length { get; init; }
}
