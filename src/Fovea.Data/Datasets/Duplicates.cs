using System.Collections.Concurrent;

namespace Fovea.Data.Datasets;

/// <summary>
/// Finds rows with the same conversation and the same bytes of images: 20 bytes are kept a row, and images are read of rows alone that agree in everything
/// else.
/// </summary>
internal static class Duplicates
{
    private const int MostExamples = 5;

    /// <param name="train">What is trained on.</param>
    /// <param name="eval">What is held out; null without any.</param>
    /// <param name="usable">Whether a sample of either can be used; others are left out.</param>
    public static DuplicateReport Find(
        ConversationSet train, ConversationSet? eval, Func<ConversationSet, int, bool> usable, CancellationToken cancellation = default)
    {
        var rows = Rows(train, 0, usable).Concat(eval is null ? [] : Rows(eval, 1, usable)).ToArray();
        ConversationSet[] sets = eval is null ? [train] : [train, eval];
        var keys = new UInt128[rows.Length];
        var options = new ParallelOptions { CancellationToken = cancellation };
        Parallel.For(0, rows.Length, options, i => keys[i] = Key(sets[rows[i].Set], rows[i].Index, DuplicateKey.OfText));

        // Rows without images have been compared in full by now.
        var alike = Groups(keys, rows).SelectMany(group => group).Where(i => HasImages(sets[rows[i].Set], rows[i].Index)).ToArray();
        var images = new ConcurrentDictionary<int, UInt128>();
        Parallel.ForEach(alike, options, i => images[i] = Key(sets[rows[i].Set], rows[i].Index, DuplicateKey.OfImages));
        foreach (var (i, key) in images)
        {
            keys[i] ^= key;
        }

        return Report(Groups(keys, rows), rows, sets);
    }

    /// <summary>Every row once, however often its dataset is named or the row is drawn by a mix.</summary>
    private static IEnumerable<Sample> Rows(ConversationSet samples, int set, Func<ConversationSet, int, bool> usable)
    {
        var seen = new HashSet<(string Dataset, int Row)>();
        for (var i = 0; i < samples.Count; i++)
        {
            if (usable(samples, i) && seen.Add(samples.Origin(i)))
            {
                yield return new Sample(set, i);
            }
        }
    }

    private static UInt128 Key(ConversationSet samples, int index, Func<Conversation, UInt128> hash)
    {
        try
        {
            return hash(samples[index]);
        }
        catch (Exception e) when (e is FoveaException or IOException or UnauthorizedAccessException)
        {
            // It has become unreadable since it was looked at; it equals no other.
            return (UInt128)(ulong)index + 1;
        }
    }

    private static bool HasImages(ConversationSet samples, int index)
    {
        try
        {
            return samples[index].Images.Count > 0;
        }
        catch (BadSampleException)
        {
            return false;
        }
    }

    /// <summary>Rows with equal keys, two or more, each group in the order of training and then of what is held out.</summary>
    private static List<int[]> Groups(UInt128[] keys, Sample[] rows)
    {
        var order = Enumerable.Range(0, rows.Length).ToArray();
        Array.Sort(keys.ToArray(), order);
        var groups = new List<int[]>();
        for (int from = 0, to; from < order.Length; from = to)
        {
            for (to = from + 1; to < order.Length && keys[order[to]] == keys[order[from]];)
            {
                to++;
            }

            if (to - from > 1)
            {
                groups.Add([.. order[from..to].Order()]);
            }
        }

        return groups;
    }

    private static DuplicateReport Report(List<int[]> groups, Sample[] rows, ConversationSet[] sets)
    {
        var (within, across, leaked) = (new Tally(), new Tally(), new Tally());
        foreach (var group in groups.OrderBy(group => group[0]))
        {
            var firstOf = new Dictionary<string, Sample>();
            var first = rows[group[0]];
            foreach (var row in group.Select(i => rows[i]))
            {
                var dataset = sets[row.Set].Origin(row.Index).Dataset;
                if (row.Set == 1 && first.Set == 0)
                {
                    leaked.Add(row, first);
                }
                else if (row.Set == 0 && !firstOf.TryAdd(dataset, row))
                {
                    within.Add(row, firstOf[dataset]);
                }
                else if (row.Set == 0 && row != first)
                {
                    across.Add(row, first);
                }
            }
        }

        return new DuplicateReport(within.Count, across.Count, leaked.Count)
        {
            Within = Pairs(within),
            Across = Pairs(across),
            Leaked = Pairs(leaked),
        };

        string[] Pairs(Tally tally) => [.. tally.First.Select(pair => $"{Name(pair.Row)} = {Name(pair.Earlier)}")];

        string Name(Sample sample)
        {
            var (dataset, row) = sets[sample.Set].Origin(sample.Index);
            var place = sets[sample.Set].Place(new BadSample(dataset, row, string.Empty), sample.Index).Place;
            return place is null ? $"{dataset}, row {row}" : $"{dataset}, row {row} (in {place})";
        }
    }

    /// <summary>A sample of what is trained on (0) or held out (1).</summary>
    private readonly record struct Sample(int Set, int Index);

    private sealed class Tally
    {
        public int Count { get; private set; }

        public List<(Sample Row, Sample Earlier)> First { get; } = [];

        public void Add(Sample row, Sample earlier)
        {
            Count++;
            if (First.Count < MostExamples)
            {
                First.Add((row, earlier));
            }
        }
    }
}
