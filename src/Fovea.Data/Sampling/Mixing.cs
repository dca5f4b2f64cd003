namespace Fovea.Data.Sampling;

/// <summary>
/// The order in which rows of several datasets follow one another: equal to <c>interleave_datasets</c> of Hugging Face's datasets, which LLaMA-Factory calls.
/// </summary>
internal static class Mixing
{
    // An index of rows is held in memory; a rare dataset that must end makes it arbitrarily long.
    private const int MostRows = 1_000_000_000;

    /// <summary>Every row of the mix as its dataset and its index there, both from 0.</summary>
    /// <param name="lengths">Rows of each dataset, at least 1.</param>
    /// <param name="probabilities">How often each is drawn; empty takes them in turns.</param>
    /// <exception cref="ConfigException">The mix would be too long.</exception>
    public static IEnumerable<(int Source, int Row)> Order(
        IReadOnlyList<int> lengths, MixStrategy strategy, IReadOnlyList<double> probabilities, long seed)
    {
        if (strategy == MixStrategy.Concat || lengths.Count <= 1)
        {
            return lengths.SelectMany((length, source) => Enumerable.Range(0, length).Select(row => (source, row)));
        }

        return Interleaved(lengths, strategy, new MixTurns(lengths.Count, strategy, probabilities, new NumpyRandom((ulong)seed), wholeRounds: true));
    }

    private static IEnumerable<(int Source, int Row)> Interleaved(IReadOnlyList<int> lengths, MixStrategy strategy, MixTurns turns)
    {
        var next = new int[lengths.Count];
        for (var rows = 0; turns.Next() is { } source; rows++)
        {
            if (rows == MostRows)
            {
                throw new ConfigException(
                    $"mix_strategy: {(strategy == MixStrategy.InterleaveOver ? "interleave_over" : "interleave")} makes more than {MostRows:N0} rows of "
                    + $"{lengths.Sum(length => (long)length):N0}; give rare datasets a larger share in interleave_probs, or use interleave_under");
            }

            yield return (source, next[source]++);
            if (next[source] == lengths[source])
            {
                turns.Ended(source);
                next[source] = 0;
            }
        }
    }
}
