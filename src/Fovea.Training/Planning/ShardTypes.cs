using Fovea.Models;
using Fovea.Training.Config;
using Fovea.Training.Optim;

namespace Fovea.Training.Planning;

/// <summary>Bytes of an element in each of its forms, and what else <see cref="ShardPlan"/> must know besides shapes.</summary>
/// <param name="Compute">Weights as they are used.</param>
/// <param name="Master">Weights as they learn, their moments, and adapters.</param>
internal sealed record ShardTypes(int Compute, int Master)
{
    /// <summary>Weights that do not learn are pages of the checkpoint's files, since they have its element type and lie in the host's memory.</summary>
    public bool Mapped { get; init; }

    /// <summary>So are weights in 4 bits with their scales, since the checkpoint has them so; those that are rounded while loading are not.</summary>
    public bool MapsPacked { get; init; }

    /// <summary>Numbers that the optimizer keeps for each element of a trainable weight, on average.</summary>
    public double States { get; init; } = AdamW.StatesPerElement;

    /// <summary>As <see cref="Distributed.ShardingOptions.Alignment"/>.</summary>
    public long Alignment { get; init; } = 64;

    /// <summary>Several micro-batches make a step, so that gradients are collected first.</summary>
    public bool Accumulates { get; init; } = true;

    /// <summary>The device's own sums over ranks are used where the types allow (NCCL).</summary>
    public bool Scatters { get; init; }

    /// <summary>Gradients that travel together when nothing is divided, in bytes.</summary>
    public long BucketBytes { get; init; } = 25L << 20;

    /// <param name="mapped">As <see cref="Mapped"/>.</param>
    /// <param name="onHost">The device is the CPU.</param>
    /// <param name="mapsPacked">As <see cref="MapsPacked"/>.</param>
    public static ShardTypes Of(VisionLanguageModel model, TrainConfig config, bool mapped, bool onHost, bool mapsPacked = false) => new(
        model.Ledger.Options.Compute.Size(), model.Ledger.Options.Master.Size())
    {
        Mapped = mapped,
        MapsPacked = mapsPacked,
        States = Optimizers.StatesPerElement(config.Optimizer, model.Ledger.Trainable, model.Ledger.Options.Master.Size()),
        Alignment = Optimizers.Alignment(config.Optimizer),
        Accumulates = config.Schedule.GradientAccumulationSteps > 1 || config.Schedule.PerDeviceTrainBatchSize > 1,
        Scatters = !onHost,
        BucketBytes = (long)(config.Parallel.DdpBucketCapMb * (1 << 20)),
    };
}
