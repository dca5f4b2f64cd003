using Fovea.Distributed;
using Fovea.Keys;

using static Fovea.Keys.Effect;

namespace Fovea.Training.Config;

/// <summary>Several processes: how they meet, and what is sharded over them.</summary>
public sealed record ParallelSection
{
    /// <summary>With several processes: seconds to wait for one that does not come along before the run is given up.</summary>
    [Bounds(1)]
    [Affects(Execution)] public int DdpTimeout { get; init; } = 600;

    /// <summary>With several processes: MiB of gradients that travel together, while backward goes on.</summary>
    [Bounds(0, AboveMin = true)]
    [Affects(Execution)] public double DdpBucketCapMb { get; init; } = 25;

    /// <summary>What is divided over the processes (ZeRO): 0 nothing, 1 the optimizer's state, 2 gradients too, 3 weights too, frozen ones included.</summary>
    [Bounds(0, 3)]
    [Affects(Execution)] public int Zero { get; init; }

    /// <summary>What lies in the host's memory: nothing, the optimizer's state and its update, or (<c>cpu</c>, with <c>zero: 3</c>) weights too.</summary>
    [Affects(Execution)] public OffloadKind Offload { get; init; }

    /// <summary>A DeepSpeed JSON file, or its content, instead of <see cref="Zero"/> and <see cref="Offload"/>; values must agree with other keys.</summary>
    [Inline]
    [FilePath, Affects(Execution)] public string? Deepspeed { get; init; }

    /// <summary>FSDP's words for the same: <c>full_shard</c> is <c>zero: 3</c>, <c>shard_grad_op</c> <c>zero: 2</c>; with <c>offload</c> beside it.</summary>
    [Affects(Execution)] public IReadOnlyList<string> Fsdp { get; init; } = [];

    /// <summary>How often a run that fails is started again, from its last checkpoint; the variable <c>MAX_RESTARTS</c> goes first.</summary>
    [Bounds(0)]
    [Affects(Execution)] public int MaxRestarts { get; init; }

    /// <summary>What <see cref="Zero"/>, <see cref="Offload"/>, <see cref="Deepspeed"/> and <see cref="Fsdp"/> say together.</summary>
    public ShardingOptions Sharding => new()
    {
        Stage = Zero,
        OffloadOptimizer = Offload != OffloadKind.None,
        OffloadParameters = Offload == OffloadKind.Cpu,
        PinMemory = PinMemory,
        SaveWhole = SaveWhole,
    };

    internal bool PinMemory { get; init; } = true;

    internal bool SaveWhole { get; init; } = true;
}
