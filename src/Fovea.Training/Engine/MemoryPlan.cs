using Fovea.Models;
using Fovea.Nn;
using Fovea.Tensors;
using Fovea.Training.Config;

namespace Fovea.Training.Engine;

/// <summary>
/// What a micro-batch holds in memory until its backward pass, and so how much each block keeps: all, all but what is cheap, or its input alone.
/// Nothing is computed again that fits the budget.
/// </summary>
/// <param name="MicroBatchTokens">Most tokens of a packed micro-batch.</param>
/// <param name="Mode">What the configuration says.</param>
/// <param name="Budget">Bytes for activations.</param>
public sealed record MemoryPlan(int MicroBatchTokens, RecomputeMode Mode, long Budget)
{
    private const int LeastTokens = 1024;

    // Beyond this, larger products are no faster.
    private const int MostTokens = 4096;

    // A chunk of logits as on the CPU, and what libraries allocate for themselves.
    private const long Reserve = 256L << 20;

    private const long PatchBytes = 4 * 1176;
    private IReadOnlyList<Cost> costs = [];
    private long streamBytes;
    private long projectorBytes;
    private long rotaryBytes;
    private long onceBytes;
    private long reserve = Reserve;

    /// <param name="castsWeights">What learns is used as a copy in the element type of the computation; false where that copy is gathered from ranks.</param>
    /// <param name="onHost">Whether it will run on the CPU; null where the model's own device says so.</param>
    public static MemoryPlan For(VisionLanguageModel model, TrainConfig config, long budgetBytes, bool castsWeights = true, bool? onHost = null)
    {
        // On the CPU adapters with dropout are computed apart from their linears, and each keeps an input of its own.
        var costs = Costs(model, config.Tuning.LoraDropout > 0 && (onHost ?? model.Device.Type == DeviceType.Cpu), castsWeights);
        var stream = model.Head.Shape[1] * model.Ledger.Options.Compute.Size();
        var mode = config.Memory.EffectiveRecompute;

        // Short micro-batches that keep much are faster than long ones that compute again.
        var kind = mode switch { RecomputeMode.Always => BlockMode.Recompute, RecomputeMode.Never => BlockMode.Keep, _ => BlockMode.Selective };
        var token = Math.Max(1, costs.Where(c => !c.Vision).Sum(c => c.Of(kind)) + (3 * stream));
        var reserve = Reserve + (model.Device.Type == DeviceType.Cpu
            ? 0
            : LinearCrossEntropy.WorkingBytes(model.Head, MostTokens, model.Ledger.Options.Compute, onHost: false));
        var tokens = config.Memory.MicroBatchTokens ?? (int)Math.Clamp((budgetBytes - reserve) / token, LeastTokens, MostTokens);
        
        // Angles, cosines and sines in fp32.
        var head = model.Blocks[^1].AttentionOutput / model.Blocks[^1].Heads;
        return new MemoryPlan(tokens, mode, budgetBytes)
        {
            costs = costs,
            reserve = reserve,
            streamBytes = stream,
            projectorBytes = model.ProjectorElements * model.Ledger.Options.Compute.Size(),
            rotaryBytes = 3 * 4 * head,
            onceBytes = !castsWeights ? 0 : CastBytes(model, p => !model.Blocks.Any(b => p.Name.StartsWith(b.Path + ".", StringComparison.Ordinal))),
        };
    }

    /// <summary>What full micro-batches keep of their activations, in words; null where every block keeps all.</summary>
    public string? Notice(bool visionLearns)
    {
        var modes = Modes(MicroBatchTokens, visionLearns ? MicroBatchTokens : 0).Values.CountBy(mode => mode).ToDictionary();
        return modes.Keys.All(mode => mode == BlockMode.Keep)
            ? null
            : $"activations for micro-batches of {MicroBatchTokens} tokens: {modes.GetValueOrDefault(BlockMode.Keep)} blocks keep all, "
                + $"{modes.GetValueOrDefault(BlockMode.Selective)} all but what is cheap to compute again, "
                + $"{modes.GetValueOrDefault(BlockMode.Recompute)} are computed again";
    }

    /// <summary>What each block does with a micro-batch of this size.</summary>
    /// <param name="patches">Patches of images that a learning vision tower sees.</param>
    public IReadOnlyDictionary<string, BlockMode> Modes(int tokens, int patches)
    {
        var usual = Mode switch
        {
            RecomputeMode.Never => BlockMode.Keep,
            RecomputeMode.Selective => BlockMode.Selective,
            _ => BlockMode.Recompute,
        };
        var modes = costs.ToDictionary(c => c.Name, _ => usual);
        if (Mode != RecomputeMode.Auto)
        {
            return modes;
        }

        // Backward works in one block at a time: what it computed again there, and gradients of as much.
        var largest = costs.Count == 0 ? 0 : costs.Max(c => c.Keep * Rows(c));
        var room = Budget - reserve - (2 * largest) - Predict(modes, tokens, patches);

        // Dropping what is cheap frees much for little time, so it is undone last. The last blocks go first: backward frees them first.
        foreach (var better in (ReadOnlySpan<BlockMode>)[BlockMode.Selective, BlockMode.Keep])
        {
            for (var i = costs.Count - 1; i >= 0; i--)
            {
                var more = (costs[i].Of(better) - costs[i].Of(modes[costs[i].Name])) * Rows(costs[i]);
                if (more <= room)
                {
                    modes[costs[i].Name] = better;
                    room -= more;
                }
            }
        }

        return modes;

        long Rows(Cost cost) => cost.Vision ? patches : tokens;
    }

    /// <summary>Has every block do with the coming micro-batch as <see cref="Modes"/> says.</summary>
    public void Apply(Ledger ledger, int tokens, int patches)
    {
        var modes = Modes(tokens, patches);
        foreach (var block in ledger.Blocks)
        {
            block.Mode = modes.GetValueOrDefault(block.Name, block.Mode);
        }
    }

    /// <summary>Bytes that the backward pass of one block needs at most: what it computes again, and gradients of as much as it keeps.</summary>
    public long Working(IReadOnlyDictionary<string, BlockMode> modes, int tokens, int patches) => costs.Count == 0
        ? 0
        : costs.Max(cost => (((2 * cost.Keep) - cost.Of(modes[cost.Name])) * (cost.Vision ? patches : tokens))
            + (modes[cost.Name] == BlockMode.Recompute ? cost.Once : 0));

    /// <summary>Bytes of tensors that a forward pass leaves for the backward pass.</summary>
    /// <param name="modes">As <see cref="Modes"/> gives them.</param>
    public long Predict(IReadOnlyDictionary<string, BlockMode> modes, int tokens, int patches)
    {
        // Embeddings without and with images, the last block's output and the final norm's; pixels and features.
        var bytes = onceBytes + (tokens * ((3 * streamBytes) + rotaryBytes)) + (patches * (PatchBytes + projectorBytes));
        foreach (var cost in costs)
        {
            bytes += cost.Of(modes[cost.Name]) * (cost.Vision ? patches : tokens);
            bytes += modes[cost.Name] == BlockMode.Recompute ? 0 : cost.Once;
        }

        return bytes;
    }

    private static List<Cost> Costs(VisionLanguageModel model, bool dropout, bool castsWeights)
    {
        var options = model.Ledger.Options;
        var size = options.Compute.Size();
        var learning = model.Ledger.Trainable.ToList();
        var costs = new List<Cost>();

        // Before the first weight that learns nothing is recorded, and nothing kept.
        var recorded = learning.Any(p => p.Name.Contains("embed", StringComparison.Ordinal));
        foreach (var block in model.Blocks)
        {
            var prefix = block.Path + ".";
            var own = learning.Where(p => p.Name.StartsWith(prefix, StringComparison.Ordinal)).ToList();
            recorded |= own.Count > 0;
            if (!recorded)
            {
                continue;
            }

            var adapters = model.Ledger.Linears
                .Where(l => l.Lora is not null && l.Path.StartsWith(prefix, StringComparison.Ordinal))
                .Sum(l => l.Lora!.A.Shape[0] + (dropout ? l.Inputs : 0));

            var once = !castsWeights ? 0 : CastBytes(model, own.Contains);
            costs.Add(new Cost(
                block.Name, block.Part == ModelPart.Vision, block.BytesOf(BlockMode.Keep, size, adapters, dropout),
                block.BytesOf(BlockMode.Selective, size, adapters, dropout), block.BytesOf(BlockMode.Recompute, size, adapters, dropout), once));
        }

        return costs;
    }

    /// <summary>Weights that learn in fp32 are used in the element type of the computation: those copies. Adapters' are counted once (ShardPlan).</summary>
    private static long CastBytes(VisionLanguageModel model, Func<Parameter, bool> which)
    {
        var options = model.Ledger.Options;
        var casts = options.Master == options.Compute ? [] : model.Ledger.Parameters.Where(p => p.Trainable && which(p));
        return casts.Sum(p => p.Count) * options.Compute.Size();
    }

    /// <summary>Bytes a row in each mode, and once for the block.</summary>
    private sealed record Cost(string Name, bool Vision, long Keep, long Selective, long Recompute, long Once)
    {
        public long Of(BlockMode mode) => mode switch
        {
            BlockMode.Keep => Keep,
            BlockMode.Selective => Selective,
            _ => Recompute,
        };
    }
}
