using System.Globalization;
using Fovea.Distributed;
using Fovea.Keys;

using static Fovea.Keys.Effect;

namespace Fovea.Training.Config;

/// <summary>Several processes: communication, restarts, and what is sharded.</summary>
internal sealed record ParallelSection
{
    /// <summary>With several processes: collective timeout in seconds, after which the run fails.</summary>
    [Bounds(1)]
    [Affects(Execution)] public int DdpTimeout { get; init; } = 600;

    /// <summary>With several processes: gradient bucket size in MiB, sent while backward continues.</summary>
    [Bounds(0, AboveMin = true)]
    [Affects(Execution)] public double DdpBucketCapMb { get; init; } = 25;

    /// <summary>What is sharded over the processes (ZeRO): 0 nothing, 1 optimizer state, 2 gradients too, 3 weights too, including frozen ones.</summary>
    [Bounds(0, 3)]
    [Affects(Execution)] public int Zero { get; init; }

    /// <summary>What is offloaded to host memory: nothing, the optimizer state and its update, or (<c>cpu</c>, with <c>zero: 3</c>) weights too.</summary>
    [Affects(Execution)] public OffloadKind Offload { get; init; }

    /// <summary>A DeepSpeed JSON file, or its content, instead of <see cref="Zero"/> and <see cref="Offload"/>; values must agree with other keys.</summary>
    [Inline]
    [FilePath, Affects(Execution)] public string? Deepspeed { get; init; }

    /// <summary>FSDP's names for the same: <c>full_shard</c> is <c>zero: 3</c>, <c>shard_grad_op</c> is <c>zero: 2</c>; may add <c>offload</c>.</summary>
    [Affects(Execution)] public IReadOnlyList<string> Fsdp { get; init; } = [];

    /// <summary>Processes that split the tokens of each packed micro-batch (Ulysses); divides the number of processes and of attention heads.</summary>
    [Bounds(1)]
    [Affects(Execution)] public int SequenceParallelSize { get; init; } = 1;

    /// <summary>How often a failed run is restarted, from its last checkpoint; the environment variable <c>MAX_RESTARTS</c> takes precedence.</summary>
    [Bounds(0)]
    [Affects(Execution)] public int MaxRestarts { get; init; }

    /// <summary>What <see cref="Zero"/>, <see cref="Offload"/>, <see cref="Deepspeed"/> and <see cref="Fsdp"/> specify together.</summary>
    public ShardingOptions Sharding => new()
    {
        Stage = Zero,
        OffloadOptimizer = Offload != OffloadKind.None,
        OffloadParameters = Offload == OffloadKind.Cpu,
        PinMemory = PinMemory,
        SaveWhole = SaveWhole,
    };

    /// <summary>Why so many processes cannot split sequences as asked; null where they can.</summary>
    public string? RanksRefusal(int worldSize) => worldSize % SequenceParallelSize == 0 ? null : string.Create(
        CultureInfo.InvariantCulture,
        $"sequence_parallel_size: {SequenceParallelSize} does not divide the number of processes, which is {worldSize}; start as many or a multiple "
        + $"(NPROC_PER_NODE={SequenceParallelSize})");

    /// <summary>Checks what depends on the number of processes.</summary>
    /// <exception cref="ConfigException">They cannot split sequences as asked.</exception>
    public void CheckRanks(int worldSize)
    {
        if (RanksRefusal(worldSize) is { } why)
        {
            throw new ConfigException(why);
        }
    }

    internal bool PinMemory { get; init; } = true;

    internal bool SaveWhole { get; init; } = true;
}
