using Fovea.Models;
using Fovea.Nn;
using Fovea.Tensors;
using Fovea.Training.Config;

namespace Fovea.Training.Planning;

/// <summary>
/// What a micro-batch holds in memory until its backward pass, and so how much each block keeps: all, all but what is cheap, or its input alone.
/// Nothing is computed again that fits the budget.
/// </summary>
/// <remarks>Tokens are those of a whole micro-batch, also where ranks split them; what is kept of them is counted for one rank.</remarks>
/// <param name="MicroBatchTokens">Most tokens of a packed micro-batch.</param>
/// <param name="Mode">What the configuration says.</param>
/// <param name="Budget">Bytes for activations.</param>
internal sealed record ActivationPlan(int MicroBatchTokens, RecomputeMode Mode, long Budget)
{
    private const int LeastTokens = 1024;

    // Beyond this, larger products are no faster.
    private const int MostTokens = 4096;

    // A chunk of logits as on the CPU, and what libraries allocate for themselves.
    private const long Reserve = 256L << 20;

    private ActivationCosts costs = new([], default, default);
    private long headBytes;
    private int ranks = 1;
    private long reserve = Reserve;

    /// <param name="stage">Of ZeRO; null as the configuration says.</param>
    /// <param name="onHost">Whether it will run on the CPU; null where the model's own device says so.</param>
    public static ActivationPlan For(VisionLanguageModel model, TrainConfig config, long budgetBytes, int? stage = null, bool? onHost = null)
    {
        var division = stage ?? config.Parallel.Sharding.Stage;
        return For(model, config, budgetBytes, division, ActivationCosts.Measure(
            model, division, onHost ?? model.Device.Type == DeviceType.Cpu, config.Parallel.SequenceParallelSize));
    }

    /// <param name="costs">Of the model at that stage, where as many ranks split the tokens as the configuration says.</param>
    public static ActivationPlan For(VisionLanguageModel model, TrainConfig config, long budgetBytes, int stage, ActivationCosts costs)
    {
        var options = model.Ledger.Options;
        var mode = config.Memory.EffectiveRecompute;

        // Short micro-batches that keep much are faster than long ones that compute again.
        var kind = mode switch { RecomputeMode.Always => BlockMode.Recompute, RecomputeMode.Never => BlockMode.Keep, _ => BlockMode.Selective };
        var layers = costs.Blocks.Where(c => !c.IsVision).ToList();
        var token = Math.Max(
            1, costs.Tokens.EachRow + layers.Sum(c => c.Of(kind).EachRow) + (layers.Count == 0 ? 0 : layers.Max(c => c.Working.EachRow)));
        var reserve = Reserve + (model.Device.Type == DeviceType.Cpu
            ? 0
            : LinearCrossEntropy.WorkingBytes(model.Head, MostTokens, options.Compute, onHost: false));
        var ranks = config.Parallel.SequenceParallelSize;
        var tokens = config.Memory.MicroBatchTokens ?? ranks * (int)Math.Clamp((budgetBytes - reserve) / token, LeastTokens, MostTokens);
        return new ActivationPlan(tokens, mode, budgetBytes)
        {
            costs = costs,
            reserve = reserve,
            ranks = ranks,

            // The loss uses a head that learns as a copy in the element type of the computation, while all of this is held.
            headBytes = model.Head.Trainable && stage == 0 && options.Master != options.Compute ? model.Head.Count * options.Compute.Size() : 0,
        };
    }

    /// <summary>Most tokens of a packed micro-batch that one rank has.</summary>
    public int RankTokens => OfRank(MicroBatchTokens);

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

    /// <summary>What each layer that has a backward pass does with a micro-batch of this size.</summary>
    /// <param name="patches">Patches of images that a learning vision tower sees.</param>
    public IReadOnlyDictionary<Block, BlockMode> Modes(int tokens, int patches)
    {
        var usual = Mode switch
        {
            RecomputeMode.Never => BlockMode.Keep,
            RecomputeMode.Selective => BlockMode.Selective,
            _ => BlockMode.Recompute,
        };
        var modes = costs.Blocks.ToDictionary(c => c.Block, _ => usual);
        if (Mode != RecomputeMode.Auto)
        {
            return modes;
        }

        // Backward works in one block at a time: what it computed again there, gradients of as much, and what its kernels work in.
        var largest = costs.Blocks.Count == 0 ? 0 : costs.Blocks.Max(c => (2 * c.Keep.EachRow * Rows(c)) + c.Working.Of(Rows(c)));
        var room = Budget - reserve - largest - Predict(modes, tokens, patches);

        // Dropping what is cheap frees much for little time, so it is undone last. The last blocks go first: backward frees them first.
        foreach (var better in (ReadOnlySpan<BlockMode>)[BlockMode.Selective, BlockMode.Keep])
        {
            foreach (var cost in costs.Blocks.Reverse())
            {
                var more = cost.Of(better).Of(Rows(cost)) - cost.Of(modes[cost.Block]).Of(Rows(cost));
                if (more <= room)
                {
                    modes[cost.Block] = better;
                    room -= more;
                }
            }
        }

        return modes;

        int Rows(BlockCost cost) => cost.IsVision ? patches : OfRank(tokens);
    }

    /// <summary>Has every layer do with the coming micro-batch as <see cref="Modes"/> says.</summary>
    public void Apply(int tokens, int patches)
    {
        foreach (var (block, mode) in Modes(tokens, patches))
        {
            block.Mode = mode;
        }
    }

    /// <summary>
    /// Bytes that the backward pass of one block needs at most: what it computes again, gradients of as much as it keeps, and what its kernels work in.
    /// </summary>
    public long Working(IReadOnlyDictionary<Block, BlockMode> modes, int tokens, int patches) => costs.Blocks.Count == 0
        ? 0
        : costs.Blocks.Max(cost =>
        {
            var (rows, mode) = (cost.IsVision ? patches : OfRank(tokens), modes[cost.Block]);
            var gradients = (long)(cost.Keep.EachRow * rows);
            return gradients + cost.Working.Of(rows) + (mode == BlockMode.Keep ? 0 : cost.Keep.Of(rows) - cost.Of(mode).Of(rows));
        });

    /// <summary>Bytes of tensors that a forward pass leaves for the backward pass.</summary>
    /// <param name="modes">As <see cref="Modes"/> gives them.</param>
    public long Predict(IReadOnlyDictionary<Block, BlockMode> modes, int tokens, int patches) =>
        headBytes + costs.Tokens.Of(OfRank(tokens)) + (patches == 0 ? 0 : costs.Patches.Of(patches))
        + costs.Blocks.Where(c => !c.IsVision || patches > 0).Sum(c => c.Of(modes[c.Block]).Of(c.IsVision ? patches : OfRank(tokens)));

    private int OfRank(int tokens) => (tokens + ranks - 1) / ranks;
}
