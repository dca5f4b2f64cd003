namespace Fovea.Data.Sampling;

/// <summary>
/// Which samples each step of one rank takes. Equals Transformers' seeded sampler (epoch e is <c>randperm</c> seeded with seed + e) and accelerate's
/// sharding of batches (rank r takes batches r, r + world, ...; a short tail is filled up from the epoch's start). Any step can be asked for,
/// so a run resumes at its step number. <see cref="BatchesOf"/> is for one thread at a time.
/// </summary>
internal sealed class SampleOrder : IStepOrder
{
    private readonly OrderOptions options;
    private int epoch = -1;
    private int[] order = [];

    public SampleOrder(OrderOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Samples, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.BatchSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Accumulation, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(options.Rank);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(options.Rank, options.WorldSize);
        this.options = options;
        var batches = Ceil(options.Samples, options.BatchSize);
        BatchesPerEpoch = Ceil(batches, options.WorldSize);
        StepsPerEpoch = options.Rounding == StepRounding.Ceil
            ? Ceil(BatchesPerEpoch, options.Accumulation)
            : Math.Max(BatchesPerEpoch / options.Accumulation, 1);
    }

    /// <summary>Batches of one rank in one epoch: the length of its data loader.</summary>
    public int BatchesPerEpoch { get; }

    /// <summary>Optimizer steps in one epoch.</summary>
    public int StepsPerEpoch { get; }

    /// <summary>Steps of a whole run; <paramref name="maxSteps"/> wins where it is positive.</summary>
    public int TotalSteps(double epochs, int maxSteps = 0) => maxSteps > 0 ? maxSteps : (int)Math.Ceiling(epochs * StepsPerEpoch);

    /// <summary>Epochs done after <paramref name="steps"/> steps, as the trainer logs it.</summary>
    public double EpochAfter(int steps)
    {
        if (Continuous)
        {
            return (double)steps * options.Accumulation / BatchesPerEpoch;
        }

        var (epochs, rest) = Math.DivRem(steps, StepsPerEpoch);
        return epochs + ((double)Math.Min(rest * options.Accumulation, BatchesPerEpoch) / BatchesPerEpoch);
    }

    /// <summary>The batches of this rank in step <paramref name="step"/> (from 0): indices into the dataset.</summary>
    public IReadOnlyList<int[]> BatchesOf(int step)
    {
        var (from, to) = Range(step);
        return Batches(from, to);
    }

    /// <summary>The epoch, from 0, of each of <see cref="BatchesOf"/>.</summary>
    public IReadOnlyList<int> EpochsOf(int step)
    {
        var (from, to) = Range(step);
        var epochs = new int[to - from];
        for (var i = 0; i < epochs.Length; i++)
        {
            epochs[i] = (int)((from + i) / BatchesPerEpoch);
        }

        return epochs;
    }

    /// <summary>Batches of one rank up to and with the last one of a step, over all epochs.</summary>
    public long BatchesUpTo(int step)
    {
        var (epoch, within) = Math.DivRem(step, StepsPerEpoch);
        return Continuous
            ? (step + 1L) * options.Accumulation
            : ((long)epoch * BatchesPerEpoch) + Math.Min((within + 1L) * options.Accumulation, BatchesPerEpoch);
    }

    /// <summary>Steps all of whose batches are among the first <paramref name="batches"/> of one rank, over all epochs.</summary>
    public int StepsWithin(long batches)
    {
        var least = Continuous ? batches / options.Accumulation : Math.Max(0, (batches / BatchesPerEpoch) - 1) * StepsPerEpoch;
        if (least > int.MaxValue / 2)
        {
            return int.MaxValue;
        }

        // Within an epoch, and at its end, they are counted.
        var steps = (int)least;
        while (BatchesUpTo(steps) <= batches)
        {
            steps++;
        }

        return steps;
    }

    // Batches of an epoch that steps of the same epoch take.
    private int Used => (int)Math.Min((long)StepsPerEpoch * options.Accumulation, BatchesPerEpoch);

    // With fewer batches than a step takes, older Transformers made one step of each epoch's batches.
    private bool Continuous => options.Rounding == StepRounding.Floor && BatchesPerEpoch >= options.Accumulation;

    /// <summary>The batches of a step, counted over all epochs.</summary>
    private (long From, long To) Range(int step)
    {
        if (Continuous)
        {
            var first = (long)step * options.Accumulation;
            return (first, first + options.Accumulation);
        }

        var (epoch, within) = Math.DivRem(step, StepsPerEpoch);
        var start = (long)epoch * BatchesPerEpoch;
        var from = within * options.Accumulation;
        var carried = options.Rounding == StepRounding.Carry && within == 0 && epoch > 0 ? BatchesPerEpoch - Used : 0;
        return (start + from - carried, start + Math.Min(from + options.Accumulation, BatchesPerEpoch));
    }

    private static int Ceil(int a, int b) => (int)(((long)a + b - 1) / b);

    private List<int[]> Batches(long from, long to)
    {
        var batches = new List<int[]>();
        for (var b = from; b < to; b++)
        {
            var (epoch, batch) = Math.DivRem(b, BatchesPerEpoch);
            Enter((int)epoch);
            batches.Add(Batch((int)batch));
        }

        return batches;
    }

    private void Enter(int epoch)
    {
        if (epoch == this.epoch)
        {
            return;
        }

        if (options.Shuffle)
        {
            order = new TorchRandom(options.Seed + epoch).RandPerm(options.Samples);
        }
        else if (order.Length == 0)
        {
            order = [.. Enumerable.Range(0, options.Samples)];
        }

        this.epoch = epoch;
    }

    private int[] Batch(int batch)
    {
        var size = options.BatchSize;
        var start = (((long)batch * options.WorldSize) + options.Rank) * size;
        if (options.WorldSize == 1 || !options.EvenBatches)
        {
            return start >= order.Length ? [] : order.AsSpan((int)start, (int)Math.Min(size, order.Length - start)).ToArray();
        }

        var head = Math.Min(order.Length, (long)options.WorldSize * size);
        var indices = new int[size];
        for (var i = 0; i < size; i++)
        {
            var at = start + i;
            indices[i] = order[at < order.Length ? at : (at - order.Length) % head];
        }

        return indices;
    }
}
