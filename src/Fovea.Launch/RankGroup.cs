using System.Diagnostics;
using System.Globalization;

namespace Fovea.Launch;

/// <summary>One start of a node's ranks, until all of them have ended.</summary>
internal sealed class RankGroup : IDisposable
{
    /// <summary>Time for the others to end by themselves after one has failed: they may know better why.</summary>
    private static readonly TimeSpan Aftermath = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);
    private readonly List<RankProcess> ranks = [];
    private readonly List<RankExit> exits = [];
    private readonly RankErrors errors = new();
    private readonly Stopwatch watch = Stopwatch.StartNew();
    private readonly LaunchJob job;
    private readonly RankLogs logs;
    private readonly StopRequest stop;
    private readonly long starved = MemoryEvents.Kills();
    private TimeSpan? failed;
    private TimeSpan? asked;
    private bool overdue;
    private bool forced;

    private RankGroup(LaunchJob job, RankLogs logs, StopRequest stop)
    {
        this.job = job;
        this.logs = logs;
        this.stop = stop;
    }

    /// <summary>Starts the ranks and waits. The calling thread is the one whose end the ranks do not survive.</summary>
    /// <param name="restart">How often the group was started before.</param>
    public static GroupResult Run(
        LaunchPlan.Launch plan, LaunchJob job, IReadOnlyList<string> arguments, int port, int restart, RankLogs logs, StopRequest stop)
    {
        using var group = new RankGroup(job, logs, stop);
        group.Start(plan, arguments, port, restart);
        while (group.ranks.Count > group.exits.Count)
        {
            group.Look();
            group.errors.Show();
            Thread.Sleep(Poll);
        }

        group.errors.Show(all: true);
        return new GroupResult(group.exits, group.watch.Elapsed, group.asked is not null, group.forced, group.overdue) { Shows = group.errors.Shows };
    }

    public void Dispose()
    {
        foreach (var rank in ranks)
        {
            rank.Kill();
            rank.Dispose();
        }
    }

    private void Start(LaunchPlan.Launch plan, IReadOnlyList<string> arguments, int port, int restart)
    {
        List<(string, string)> more =
        [
            ("GROUP_RANK", Text(plan.NodeRank)), ("TORCHELASTIC_RESTART_COUNT", Text(restart)), ("TORCHELASTIC_MAX_RESTARTS", Text(job.MaxRestarts)),
        ];
        if (job.Threads is { } threads)
        {
            more.Add(("OMP_NUM_THREADS", Text(threads)));
        }

        for (var local = 0; local < plan.Processes && !stop.Asked; local++)
        {
            var variables = plan.RankOf(local, port);
            logs[local].Begin($"rank {variables.Rank} of {variables.WorldSize} on {Environment.MachineName}, start {restart + 1}");
            ranks.Add(new RankProcess(arguments, variables, more, logs[local], errors));
        }
    }

    private void Look()
    {
        foreach (var rank in ranks)
        {
            if (rank.HasExited && !exits.Any(exit => exit.Rank == rank.Rank))
            {
                Take(rank.Exit(watch.Elapsed) with { OutOfMemory = MemoryEvents.Kills() > starved });
            }
        }

        logs.Settle();
        // A rank that was asked to stop by itself cannot stop alone.
        if (asked is null && (stop.Asked || exits.Any(exit => exit.Severity == 1)))
        {
            asked = watch.Elapsed;
            Each(rank => rank.Stop());
        }

        if (stop.Forced && !forced)
        {
            forced = true;
            Each(rank => rank.Kill());
        }
        else if (watch.Elapsed - asked > job.Grace && !overdue)
        {
            overdue = exits.Count < ranks.Count;
            Each(rank => rank.Kill());
        }
        else if (watch.Elapsed - failed > Aftermath)
        {
            Each(rank => rank.Kill());
        }
    }

    private void Take(RankExit exit)
    {
        exits.Add(exit);
        if (failed is null && (exit.Severity > 1 && !(asked is not null && exit.Code == 128 + 15)))
        {
            failed = watch.Elapsed;
            Each(rank => rank.Hush());
        }
    }

    private void Each(Action<RankProcess> action)
    {
        foreach (var rank in ranks)
        {
            action(rank);
        }
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
