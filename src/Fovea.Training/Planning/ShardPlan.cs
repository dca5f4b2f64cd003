using Fovea.Distributed;
using Fovea.Nn.Lora;

namespace Fovea.Training.Planning;

/// <summary>
/// What one rank holds of weights, gradients and optimizer, in bytes, by the rules of ZeRO (arXiv 1910.02054) as they are laid out here. A pure function of
/// shapes. Everything but <see cref="Gathered"/> and <see cref="Transit"/> is there all the time; of those it is what is there where their sum is largest.
/// </summary>
/// <remarks>
/// A unit's weights lie one after another in flat buffers, one for each of: frozen, trained, adapters. Each weight takes a multiple of 64 elements (or of
/// <see cref="ShardTypes.Alignment"/>) and each buffer as much times the number of ranks, of which every rank holds an equal part.
/// </remarks>
internal sealed record ShardPlan
{
    private const int Single = sizeof(float);

    public required int Ranks { get; init; }

    public required ShardingOptions Sharding { get; init; }

    /// <summary>
    /// Stages 0 to 2: all weights; at stage 0 what learns is its own master, at 1 and 2 the copy that is used. Stage 3: the rank's part of what is frozen,
    /// the rest, which stays whole, and where masters lie in the host's memory, the rank's part of what is used instead of them. Adapters that are whole have
    /// a copy in the type of the computation besides (<see cref="AdapterCopies"/>).
    /// </summary>
    public long Weights { get; private init; }

    /// <summary>Frozen weights that are pages of the checkpoint's files: the system may take them back (not in <see cref="Weights"/>).</summary>
    public long Mapped { get; private init; }

    /// <summary>Stage 3: two neighbouring units as they are used, since the next is fetched while one runs. The head comes last.</summary>
    public long Gathered { get; private init; }

    /// <summary>
    /// Stage 0: of all that learns. From stage 1 on the rank's part of the sums in fp32; stage 1 also all of them where several micro-batches make a step.
    /// </summary>
    public long Gradients { get; private init; }

    /// <summary>Its state; from stage 1 on the rank's part of it and of the masters.</summary>
    public long Optimizer { get; private init; }

    /// <summary>
    /// Gradients on their way. Stage 0 with several ranks: the largest bucket, beside what it was packed from. From stage 1 on, for three units in a row: what
    /// backward leaves of one, and of the two behind it what is sent, as much to receive, and the rank's part in fp32. Where the head learns at least its
    /// gradient beside that of one chunk of logits.
    /// </summary>
    public long Transit { get; private init; }

    /// <summary>In the host's memory (<c>offload</c>): the rank's part of masters, moments and gradients; with <c>cpu</c> of all weights as well.</summary>
    public long Host { get; private init; }

    /// <summary>Everything that is not in the host's memory or mapped.</summary>
    public long Device => Weights + Gathered + Gradients + Optimizer + Transit;

    /// <param name="groups">As <see cref="ShardGroup.Of(Models.VisionLanguageModel)"/> gives them: in the order of the forward pass, the rest last.</param>
    public static ShardPlan For(IReadOnlyList<ShardGroup> groups, ShardingOptions sharding, int ranks, ShardTypes types) =>
        sharding.Stage == 0 ? Replicated(groups, sharding, ranks, types) : Divided(groups, sharding, ranks, types);

    /// <summary>Elements that a flat buffer of these weights has.</summary>
    public static long Padded(IEnumerable<long> counts, int ranks, long alignment = 64) => Up(counts.Sum(count => Up(count, alignment)), alignment * ranks);

    private static ShardPlan Replicated(IReadOnlyList<ShardGroup> groups, ShardingOptions sharding, int ranks, ShardTypes types)
    {
        var (own, mapped) = Whole(groups, groups.Sum(g => g.Packed.Sum() + g.Scales), types);
        var learning = groups.Sum(g => g.Learning);
        var head = groups.Where(g => g.IsHead).Sum(g => g.Trained.Sum());
        var bucket = ranks == 1 ? 0 : LargestBucket(groups, types.BucketBytes / Single) * Single;

        // The product of a chunk, the same in the master's type, and where an earlier micro-batch left a gradient, the sum over chunks before it is added.
        var product = head * (types.Compute + (types.Compute == types.Master ? 0 : types.Master) + types.Master);
        return new ShardPlan
        {
            Ranks = ranks,
            Sharding = sharding,
            Weights = own + (learning * types.Master) + Copies(groups, types),
            Mapped = mapped,
            Gradients = learning * (ranks == 1 ? types.Master : Single),
            Optimizer = (long)(types.States * learning) * types.Master,
            Transit = Math.Max(bucket, product),
        };
    }

    private static ShardPlan Divided(IReadOnlyList<ShardGroup> groups, ShardingOptions sharding, int ranks, ShardTypes types)
    {
        long Pad(IEnumerable<long> counts) => Padded(counts, ranks, types.Alignment);
        long Frozen(ShardGroup g) => (Pad(g.Frozen) * types.Compute) + Pad(g.Packed);
        long Learning(ShardGroup g) => (Pad(g.Trained) * types.Compute) + (Pad(g.Adapters) * types.Master);

        var divides = sharding.Stage == 3;
        var units = groups.Where(g => !g.IsRest).ToList();
        var part = groups.Sum(g => Pad(g.Trained) + Pad(g.Adapters)) / ranks;
        var state = (part + (long)(types.States * part)) * types.Master; // the weights in the type in which they are trained, and the optimizer's
        var sums = part * Single;
        var collected = sharding.Stage == 1 && types.Accumulates ? part * ranks * Single : 0;

        // Frozen weights that stay whole stay what they were: pages of a file, or a copy in the type of the computation.
        var whole = groups.Where(g => !divides || g.IsRest).ToList();
        var (own, mapped) = Whole(whole, whole.Sum(g => g.Packed.Sum()) + groups.Sum(g => g.Scales), types);
        var pieces = divides ? units.Sum(Frozen) / ranks : 0;
        var ready = divides && sharding.OffloadOptimizer ? units.Sum(Learning) / ranks : 0;
        var (gathered, transit) = Busiest(
            units, ranks, types, sharding.Stage == 1 && types.Accumulates, unit => divides ? Frozen(unit) + Learning(unit) : 0, Learning);
        return new ShardPlan
        {
            Ranks = ranks,
            Sharding = sharding,
            Weights = own + whole.Sum(Learning) + Copies(whole, types) + (sharding.OffloadParameters ? 0 : pieces + ready),
            Mapped = mapped,
            Gathered = gathered,
            Gradients = collected + (sharding.OffloadOptimizer ? 0 : sums),
            Optimizer = sharding.OffloadOptimizer ? 0 : state,
            Transit = transit,
            Host = (sharding.OffloadOptimizer ? state + sums : 0) + (sharding.OffloadParameters ? pieces + ready : 0),
        };
    }

    /// <summary>Frozen weights that stay whole: those in memory of the rank's own, and those that are pages of files.</summary>
    /// <param name="packed">Bytes of those in 4 bits.</param>
    private static (long Own, long Mapped) Whole(IReadOnlyList<ShardGroup> groups, long packed, ShardTypes types)
    {
        var dense = groups.Sum(g => g.Frozen.Sum()) * types.Compute;
        return ((types.Mapped ? 0 : dense) + (types.MapsPacked ? 0 : packed), (types.Mapped ? dense : 0) + (types.MapsPacked ? packed : 0));
    }

    /// <summary>
    /// What is gathered and what is on its way where both together are most. Backward comes from the other end: while one unit is at work the one before it is
    /// fetched, and the gradients of the two behind it travel.
    /// </summary>
    /// <param name="used">Bytes of a unit while it is used, as far as they are not there all the time.</param>
    /// <param name="left">Bytes of the gradients that its backward leaves.</param>
    private static (long Gathered, long Transit) Busiest(
        List<ShardGroup> units, int ranks, ShardTypes types, bool collected, Func<ShardGroup, long> used, Func<ShardGroup, long> left)
    {
        // A tied head, the embeddings, follows the last block.
        List<ShardGroup> row = units.Count > 0 && !units[^1].IsHead && units.Find(g => g.IsHead) is { } tied ? [.. units, tied] : units;
        var most = (Gathered: 0L, Transit: 0L);
        for (var place = 0; place < row.Count; place++)
        {
            var gathered = used(row[place]) + (place > 0 ? used(row[place - 1]) : 0);
            var transit = left(row[place]) + row.Skip(place + 1).Take(2).Sum(Sent);
            if (place == row.Count - 1)
            {
                // Its gradient beside that of one chunk of logits.
                transit = Math.Max(transit, 2 * units.Where(g => g.IsHead).Sum(g => g.Trained.Sum()) * types.Compute);
            }

            most = gathered + transit > most.Gathered + most.Transit ? (gathered, transit) : most;
        }

        return most;

        long Sent(ShardGroup unit)
        {
            var count = Padded(unit.Trained, ranks, types.Alignment) + Padded(unit.Adapters, ranks, types.Alignment);

            // What was collected is sent as it is. Sums of one type are left to NCCL, which needs no room of ours.
            var sent = collected ? 0 : left(unit);
            var arrives = ranks == 1 || (types.Scatters && (collected || types.Compute == Single)) ? 0 : collected ? count * Single : left(unit);
            return sent + arrives + (count / ranks * Single);
        }
    }

    /// <summary>Elements of the largest part in which <see cref="Distributed.DataParallel"/> sends gradients: from the last weight to the first.</summary>
    private static long LargestBucket(IReadOnlyList<ShardGroup> groups, long bucket)
    {
        var (largest, open) = (0L, 0L);
        var order = groups.SelectMany(g => g.Trained).Concat(groups.SelectMany(g => g.Adapters)).Reverse();
        foreach (var count in order)
        {
            open += count;
            largest = Math.Max(largest, open);
            open = open >= bucket ? 0 : open;
        }

        return largest;
    }

    private static long Copies(IEnumerable<ShardGroup> whole, ShardTypes types) =>
        types.Compute == types.Master ? 0 : AdapterCopies.Bytes(whole.SelectMany(g => g.Adapters), types.Compute);

    private static long Up(long count, long multiple) => (count + multiple - 1) / multiple * multiple;
}
