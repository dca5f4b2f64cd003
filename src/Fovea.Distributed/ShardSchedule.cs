using Fovea.Nn;

namespace Fovea.Distributed;

/// <summary>
/// The way of all ranks through the units of a model in one pass. Collectives follow this list and nothing else: whoever skips a unit (a rank without images,
/// or without a micro-batch) still takes part in them, so that nobody waits in vain. The next unit is on its way while one is at work.
/// </summary>
internal sealed class ShardSchedule : IDisposable
{
    private readonly IReadOnlyList<ScheduleEntry> entries;
    private readonly bool sums;
    private readonly Queue<Reduction> under = new();
    private int at = -1;

    /// <param name="sums">Whether gradients are summed over ranks in this pass, or collected for a later one.</param>
    public ShardSchedule(IReadOnlyList<ScheduleEntry> entries, bool sums)
    {
        this.entries = entries;
        this.sums = sums;
        Start(0);
    }

    /// <summary>The entries of a pass: forward through all units, then back through those that gradients reach, summing them on the way.</summary>
    /// <param name="head">The output head, which may be one of the units.</param>
    /// <param name="rest">Weights that are whole all the time; null without any that learn.</param>
    public static IReadOnlyList<ScheduleEntry> Plan(IReadOnlyList<ShardUnit> units, ShardUnit? head, ShardUnit? rest, ForwardPass pass)
    {
        var run = units.Where(unit => pass.Images || !unit.NeedsImages).ToList();
        List<ScheduleEntry> entries = [.. run.Select(unit => new ScheduleEntry(unit))];
        if (head is not null)
        {
            // Its gradient comes with the loss, before the backward pass.
            entries.Add(new ScheduleEntry(head) { Sums = pass.Learns && head.Learns && !run.Contains(head) });
        }

        if (!pass.Learns)
        {
            return entries;
        }

        var first = rest is { Learns: true } ? 0 : run.FindIndex(unit => unit.Learns);
        for (var i = run.Count - 1; i >= 0 && first >= 0 && i >= first; i--)
        {
            entries.Add(new ScheduleEntry(run[i]) { IsBackward = true, Gathers = !run[i].IsLookup, Sums = run[i].Learns });
        }

        if (rest is { Learns: true })
        {
            entries.Add(new ScheduleEntry(rest) { IsBackward = true, Gathers = false, Sums = true });
        }

        return entries;
    }

    /// <summary>A unit runs, forward or backward: brings its weights, and leaves those before it behind.</summary>
    public void Reach(ShardUnit unit, bool backward)
    {
        var next = at;
        do
        {
            next++;
        }
        while (next < entries.Count && !(entries[next].Unit == unit && entries[next].IsBackward == backward));

        if (next == entries.Count)
        {
            throw new InvalidOperationException(
                $"{unit.Name} ran out of its turn ({(backward ? "backward" : "forward")}, after entry {at} of {entries.Count})");
        }

        while (at < next)
        {
            Step();
        }

        entries[at].Unit.Wait();
    }

    /// <summary>A unit has run forward.</summary>
    public void Leave(ShardUnit unit)
    {
        if (at >= 0 && entries[at].Unit == unit && !entries[at].IsBackward)
        {
            entries[at].Unit.ReleaseStorage();
        }
    }

    /// <summary>Goes to the end, whatever was skipped, and waits for all sums.</summary>
    public void End()
    {
        while (at < entries.Count)
        {
            Step();
        }

        while (under.TryDequeue(out var reduction))
        {
            reduction.Finish();
        }
    }

    public void Dispose()
    {
        while (under.TryDequeue(out var reduction))
        {
            reduction.Dispose();
        }
    }

    /// <summary>One entry further. What is started here, and in which order, is the same on every rank.</summary>
    private void Step()
    {
        if (at >= 0)
        {
            entries[at].Unit.ReleaseStorage();
            Sum(entries[at]);
        }

        at++;
        Start(at + 1);
    }

    private void Start(int entry)
    {
        if (entry < entries.Count && entries[entry].Gathers)
        {
            entries[entry].Unit.Start();
        }
    }

    private void Sum(ScheduleEntry entry)
    {
        if (!entry.Sums)
        {
            return;
        }

        foreach (var flat in entry.Unit.Flats.Where(flat => flat.Learns))
        {
            if (!sums)
            {
                flat.Collect();
                continue;
            }

            // At most the sums of the last buffer and this one are in memory.
            while (under.Count > 1)
            {
                under.Dequeue().Finish();
            }

            using var span = Profile.Open("send gradients");
            under.Enqueue(flat.Reduce());
        }
    }

    /// <summary>One unit on the way.</summary>
    internal sealed record ScheduleEntry(ShardUnit Unit)
    {
        public bool IsBackward { get; init; }

        /// <summary>Whether its weights are needed.</summary>
        public bool Gathers { get; init; } = true;

        /// <summary>Whether its gradients are complete when it is left.</summary>
        public bool Sums { get; init; }
    }
}
