using System.Globalization;
using Fovea.Data.Packing;

namespace Fovea.Training.Session;

/// <summary>
/// Whether ranks that split the tokens of micro-batches have prepared the same ones: each does so for itself, and what one could not read another may have.
/// Exchanges of parts that do not fit would wait for ever, or mix tokens of different samples.
/// </summary>
internal sealed class SameBatches
{
    private const int Numbers = 4;
    private readonly StepBatch batch;
    private readonly int rank;
    private readonly int ranks;
    private readonly int together;

    /// <param name="batch">That of this rank.</param>
    /// <param name="ranks">All.</param>
    /// <param name="together">Ranks of a group, which are neighbours.</param>
    public SameBatches(StepBatch batch, int rank, int ranks, int together)
    {
        (this.batch, this.rank, this.ranks, this.together) = (batch, rank, ranks, together);
        Mine = new double[Numbers * ranks];

        // 52 bits are exact in a double.
        double[] own = [Fingerprint(batch) >> 12, batch.Samples, batch.Tokens, batch.BadSamples.Count];
        own.CopyTo(Mine, Numbers * rank);
    }

    /// <summary>A place for every rank, of which this one fills its own.</summary>
    public double[] Mine { get; }

    /// <summary>All that the forward pass's exchanges depend on, and what is trained.</summary>
    public static ulong Fingerprint(StepBatch batch)
    {
        var key = 0UL;
        foreach (var micro in batch.MicroBatches)
        {
            Add(micro.Samples);
            Add(micro.Tokens);
            Array.ForEach(micro.SampleIndices, index => Add(index));
            Array.ForEach(micro.CuSeqlens, start => Add(start));
            Array.ForEach(micro.Ids, Add);
            Array.ForEach(micro.LossIndex, Add);
            foreach (var grid in micro.Grids)
            {
                Add(grid.Patches);
            }
        }

        return key;

        void Add(long value) => key = SplitMix.Mix(key, (ulong)value);
    }

    /// <param name="all">The sum of <see cref="Mine"/> over all ranks, which every rank sees: all of them end here.</param>
    /// <exception cref="TrainingException">Two ranks of a group differ.</exception>
    public void Check(ReadOnlySpan<double> all)
    {
        for (var other = 0; other < ranks; other++)
        {
            var first = other - (other % together);
            if (!Of(all, other)[..3].SequenceEqual(Of(all, first)[..3]))
            {
                throw new TrainingException(Difference(all, first, other));
            }
        }
    }

    private static ReadOnlySpan<double> Of(ReadOnlySpan<double> all, int rank) => all.Slice(Numbers * rank, Numbers);

    private static string Say(ReadOnlySpan<double> all, int rank)
    {
        var of = Of(all, rank);
        var bad = of[3] == 0 ? string.Empty : string.Create(CultureInfo.InvariantCulture, $", after {of[3]} that could not be used");
        return string.Create(CultureInfo.InvariantCulture, $"rank {rank} has {of[1]} samples of {of[2]} tokens{bad}");
    }

    private string Difference(ReadOnlySpan<double> all, int first, int other)
    {
        var same = Of(all, first)[1..3].SequenceEqual(Of(all, other)[1..3]) ? ", and they are not the same ones" : string.Empty;
        var own = batch.BadSamples.Count == 0 ? string.Empty
            : $" Here, on rank {rank}, could not be used: {string.Join("; ", batch.BadSamples.Take(4).Select(bad => bad.ToString()))}.";
        var who = string.Create(
            CultureInfo.InvariantCulture,
            $"step {batch.Step + 1}: ranks {first} and {other} split the same sequences (sequence_parallel_size: {together})");
        return $"{who}, but have prepared different samples: {Say(all, first)}, {Say(all, other)}{same}.{own} The weights were not changed. All ranks must "
            + "read the same rows and images: see that their files are the same and whole on every host; on_bad_sample: error stops at the row that one rank "
            + "cannot use";
    }
}
