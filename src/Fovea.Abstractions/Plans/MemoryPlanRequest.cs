namespace Fovea;

/// <summary>What a memory plan should cover.</summary>
public sealed record MemoryPlanRequest
{
    /// <summary>Numbers of processes, one per GPU; each at least 1.</summary>
    public IReadOnlyList<int> Ranks { get; init; } = [1, 2, 4, 8];

    /// <summary>ZeRO stages, each 0 to 3; null: all that make sense.</summary>
    public IReadOnlyList<int>? Stages { get; init; }

    /// <summary>Kinds of offload to consider.</summary>
    public IReadOnlyList<OffloadKind> Offloads { get; init; } = [OffloadKind.None, OffloadKind.Optimizer, OffloadKind.Cpu];

    /// <summary>Memory of one GPU that the run must fit, in bytes, or of one process on the CPU; null for no limit.</summary>
    public long? DeviceBytes { get; init; }

    /// <summary>Tokens of the longest sample, at least 1; null: as many as the configuration allows.</summary>
    public int? Length { get; init; }
}
