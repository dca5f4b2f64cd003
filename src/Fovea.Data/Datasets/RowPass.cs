using System.Runtime.ExceptionServices;

namespace Fovea.Data.Datasets;

/// <summary>
/// Looks at every row of a dataset once, by several threads: what is kept is a verdict for each row, and what is wrong with the first of those that
/// cannot be used, in the order of the rows whatever thread was first.
/// </summary>
/// <param name="mostBad">So many bad rows are kept with their reasons; all are counted.</param>
internal sealed class RowPass(RowSource source, int mostBad)
{
    private const int Stretch = 512;
    private readonly bool[] good = new bool[source.Count];
    private readonly Lock gate = new();
    private readonly Dictionary<int, Seen> early = [];
    private readonly List<BadSample> bad = [];
    private readonly ColumnUse use = new(source.Spec);
    private int taken = -1;
    private int merged;
    private volatile bool isFull = mostBad <= 0;
    private (int Stretch, ExceptionDispatchInfo Error)? failure;

    /// <summary>Whether each row can be used.</summary>
    internal bool[] Good => good;

    /// <summary>The first rows that cannot be used.</summary>
    internal IReadOnlyList<BadSample> Bad => bad;

    /// <summary>Which fields nobody reads.</summary>
    internal ColumnUse Use => use;

    /// <param name="workers">Most threads.</param>
    internal RowPass Run(int workers)
    {
        var stretches = (good.Length + Stretch - 1) / Stretch;
        var threads = Enumerable.Range(1, Math.Max(0, Math.Min(workers, stretches) - 1))
            .Select(i => new Thread(() => Work(stretches)) { IsBackground = true, Name = $"rows {i}" }).ToList();
        threads.ForEach(thread => thread.Start());
        Work(stretches);
        threads.ForEach(thread => thread.Join());
        failure?.Error.Throw();
        return this;
    }

    private void Work(int stretches)
    {
        for (int stretch; (stretch = Interlocked.Increment(ref taken)) < stretches;)
        {
            try
            {
                var seen = Look(stretch);
                lock (gate)
                {
                    Merge(stretch, seen);
                }
            }
            catch (Exception e)
            {
                // As if one thread had read: the first row that fails in a way no row should is what is thrown.
                lock (gate)
                {
                    failure = failure is { } known && known.Stretch < stretch ? known : (stretch, ExceptionDispatchInfo.Capture(e));
                    taken = stretches;
                }
            }
        }
    }

    private Seen Look(int stretch)
    {
        var seen = new Seen([], new ColumnUse(source.Spec));
        var problems = new List<string>();
        var end = Math.Min((stretch + 1) * Stretch, good.Length);
        for (var row = stretch * Stretch; row < end; row++)
        {
            good[row] = source.Read(row, problems, seen.Use) is not null;
            if (!good[row] && !isFull)
            {
                seen.Bad.Add(source.Bad(row, problems));
            }

            problems.Clear();
        }

        return seen;
    }

    /// <summary>Takes in what was seen, in order; what comes too early waits.</summary>
    private void Merge(int stretch, Seen seen)
    {
        early.Add(stretch, seen);
        while (early.Remove(merged, out var next))
        {
            merged++;
            bad.AddRange(next.Bad.Take(mostBad - bad.Count));
            isFull = bad.Count >= mostBad;
            use.Add(next.Use);
        }
    }

    private sealed record Seen(List<BadSample> Bad, ColumnUse Use);
}
