using Fovea.Distributed;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Training.Config;

namespace Fovea.Training.Planning;

/// <summary>
/// What training takes of one rank's memory at its peak, in bytes, from shapes alone. <c>recompute: auto</c> is counted as everything computed again: what it
/// needs at least, since it keeps more only where there is room.
/// </summary>
/// <param name="Shards">Weights, gradients, optimizer.</param>
/// <param name="Activations">What the forward pass of one micro-batch leaves for backward, and what backward of one block adds.</param>
/// <param name="Moved">Inputs of blocks in the host's memory.</param>
/// <param name="Buffers">What the loss takes (a chunk of logits) and gradients of hidden states; the process and its libraries.</param>
internal sealed record MemoryForecast(ShardPlan Shards, long Activations, long Moved, long Buffers)
{
    // The runtime, libtorch, its libraries' buffers, decoded data: 67 to 91 MiB, by processor and element type.
    private const long ProcessOnHost = 84L << 20;

    // CUDA's context with the kernels of libtorch and the workspace of cuBLAS: usual figures, which no test of ours has measured.
    private const long ProcessOnCard = 640L << 20;

    /// <summary>Of the device; where that is the host, all of it but <see cref="ShardPlan.Mapped"/>.</summary>
    public long Device => Shards.Device + Activations + Buffers;

    /// <summary>Pinned memory of the host for this rank.</summary>
    public long Host => Shards.Host + Moved;

    /// <param name="model">Shapes are enough.</param>
    /// <param name="costs">Of the model at this stage of ZeRO.</param>
    /// <param name="tokens">Of one micro-batch.</param>
    /// <param name="patches">Of its images, where the vision side learns; else 0.</param>
    /// <param name="onHost">The device is the host: what is moved there stays in the same memory.</param>
    /// <param name="moves">Whether inputs of blocks may be moved to the host's memory (<c>activation_offload</c>).</param>
    public static MemoryForecast For(
        VisionLanguageModel model, TrainConfig config, IReadOnlyList<ShardGroup> groups, ActivationCosts costs, ShardTypes types, ShardingOptions sharding,
        int ranks, int tokens, int patches, bool onHost, bool moves)
    {
        var shards = ShardPlan.For(groups, onHost ? new ShardingOptions { Stage = sharding.Stage } : sharding, ranks, types);
        var plan = ActivationPlan.For(model, config with { Memory = config.Memory with { MicroBatchTokens = tokens } }, budgetBytes: 0, sharding.Stage, costs)
            with { HostBudget = moves && !onHost ? long.MaxValue : 0 };
        var modes = plan.Modes(tokens, patches);
        var size = model.Ledger.Options.Compute.Size();
        var own = plan.RankTokens;
        var loss = LinearCrossEntropy.WorkingBytes(model.Head, own, model.Ledger.Options.Compute, onHost);
        var buffers = loss + (2L * own * model.Head.Shape[1] * size) + (onHost ? ProcessOnHost : ProcessOnCard);
        var activations = plan.Predict(modes, tokens, patches) + plan.Working(modes, tokens, patches);
        return new MemoryForecast(shards, activations, plan.OnHost(modes, tokens, patches), buffers);
    }
}
