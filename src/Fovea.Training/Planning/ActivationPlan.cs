using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Tensors;
using Fovea.Training.Config;

namespace Fovea.Training.Planning;

/// <summary>
/// What a micro-batch holds in memory until its backward pass, and so how much each block keeps: all, all but what is cheap, its input alone, or nothing
/// on the device. Nothing is computed again that fits the budget, and no input is moved to the host where that makes no room for more.
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

    // Operations on each byte of a block's input from which its copy is as fast as the block: a GPU of 300 TFLOP/s behind a bus of 25 GB/s. A forward pass
    // takes two operations for each weight and row.
    private const double WorthMoving = 12_000;

    private ActivationCosts costs = new([], default, default);
    private long headBytes;
    private int ranks = 1;
    private long reserve = Reserve;
    private Toggle offload;

    /// <summary>Bytes of the host's memory for inputs of blocks; 0 where the model computes on the host itself.</summary>
    public long HostBudget { get; init; }

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
            offload = config.Memory.ActivationOffload,
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
                + $"{modes.GetValueOrDefault(BlockMode.Recompute) + modes.GetValueOrDefault(BlockMode.Offload)} are computed again"
                + (modes.TryGetValue(BlockMode.Offload, out var moved) ? $", {moved} of them from inputs in the host's memory" : string.Empty);
    }

    /// <summary>Patches that a learning vision side is counted with: those it sees, or, where ranks must decide alike, the most that it could see.</summary>
    /// <remarks>Which features are at hand depends on each rank's cache and on how far its data threads are.</remarks>
    public int PatchesOf(PackedBatch batch) => ranks == 1 ? batch.Patches : batch.Grids.Sum(grid => grid.Patches);

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
        if (usual != BlockMode.Recompute)
        {
            return costs.Blocks.ToDictionary(c => c.Block, _ => usual);
        }

        var (stays, room) = Fill([], tokens, patches);
        var movable = stays.ContainsValue(BlockMode.Recompute) ? Movable(tokens, patches) : [];
        if (movable.Count == 0)
        {
            return stays;
        }

        var (moves, _) = Fill(movable, tokens, patches);
        return offload == Toggle.On || room < 0 || Kept(moves) > Kept(stays) ? moves : stays;

        static int Kept(Dictionary<Block, BlockMode> modes) => modes.Values.Sum(mode => Math.Max(0, BlockMode.Recompute - mode));
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
            var (rows, mode) = (Rows(cost, tokens, patches), modes[cost.Block]);
            var gradients = (long)(cost.Keep.EachRow * rows);
            return gradients + cost.Working.Of(rows) + (mode == BlockMode.Keep ? 0 : cost.Keep.Of(rows) - cost.Of(mode).Of(rows));
        });

    /// <summary>Bytes of the host's memory in which inputs wait for the backward pass.</summary>
    public long OnHost(IReadOnlyDictionary<Block, BlockMode> modes, int tokens, int patches) =>
        Moved(modes).Sum(cost => cost.Input.Of(Rows(cost, tokens, patches)));

    /// <summary>Bytes of tensors that a forward pass leaves on the device for the backward pass.</summary>
    /// <param name="modes">As <see cref="Modes"/> gives them.</param>
    public long Predict(IReadOnlyDictionary<Block, BlockMode> modes, int tokens, int patches) =>
        headBytes + costs.Tokens.Of(OfRank(tokens)) + (patches == 0 ? 0 : costs.Patches.Of(patches))
        + costs.Blocks.Where(c => !c.IsVision || patches > 0).Sum(c => c.Of(modes[c.Block]).Of(Rows(c, tokens, patches)))

        // Of inputs that move, one is on its way at any time.
        + Moved(modes).Select(cost => cost.Input.Of(Rows(cost, tokens, patches))).DefaultIfEmpty().Max();

    private IEnumerable<BlockCost> Moved(IReadOnlyDictionary<Block, BlockMode> modes) =>
        costs.Blocks.Where(cost => modes.GetValueOrDefault(cost.Block) == BlockMode.Offload);

    /// <summary>
    /// What blocks do so that the budget is filled, from everything recomputed; and what is left of it, negative where even that is too much.
    /// </summary>
    /// <param name="moved">Blocks whose input waits in the host's memory if they are recomputed.</param>
    private (Dictionary<Block, BlockMode> Modes, long Room) Fill(HashSet<Block> moved, int tokens, int patches)
    {
        var modes = costs.Blocks.ToDictionary(c => c.Block, c => moved.Contains(c.Block) ? BlockMode.Offload : BlockMode.Recompute);

        // Backward works in one block at a time: what it computed again there, gradients of as much, and what its kernels work in.
        var largest = costs.Blocks.Select(c => (Cost: c, Rows: Rows(c, tokens, patches)))
            .Select(of => (long)(2 * of.Cost.Keep.EachRow * of.Rows) + of.Cost.Working.Of(of.Rows)).DefaultIfEmpty().Max();
        var room = Budget - reserve - largest - Predict(modes, tokens, patches);
        if (Mode == RecomputeMode.Always)
        {
            return (modes, room);
        }

        // Dropping what is cheap frees much for little time, so it is undone last. The last blocks go first: backward frees them first.
        foreach (var better in (ReadOnlySpan<BlockMode>)[BlockMode.Selective, BlockMode.Keep])
        {
            foreach (var cost in costs.Blocks.Reverse())
            {
                var more = cost.Of(better).Of(Rows(cost, tokens, patches)) - cost.Of(modes[cost.Block]).Of(Rows(cost, tokens, patches));
                if (more <= room)
                {
                    modes[cost.Block] = better;
                    room -= more;
                }
            }
        }

        return (modes, room);
    }

    /// <summary>Blocks whose input may be moved, as far as the host's memory has room: all, or those whose copy takes no longer than their block.</summary>
    private HashSet<Block> Movable(int tokens, int patches)
    {
        var found = new HashSet<Block>();
        var left = offload == Toggle.Off ? 0 : HostBudget;
        foreach (var cost in costs.Blocks)
        {
            // Of a stack of experts one is counted: how many a token meets is not known here, and all would be far too many.
            var weights = cost.Block.Parameters.Sum(p => p.Shape.Length == 3 ? p.Count / p.Shape[0] : p.Count);
            var bytes = cost.Input.Of(Rows(cost, tokens, patches));
            if (bytes > 0 && bytes <= left && (offload == Toggle.On || 2 * weights >= WorthMoving * cost.Input.EachRow))
            {
                found.Add(cost.Block);
                left -= bytes;
            }
        }

        return found;
    }

    private int Rows(BlockCost cost, int tokens, int patches) => cost.IsVision ? patches : OfRank(tokens);

    private int OfRank(int tokens) => (tokens + ranks - 1) / ranks;
}
