namespace Fovea.Launch;

/// <summary>How a node's ranks ended.</summary>
/// <param name="Asked">They were asked to stop.</param>
/// <param name="Forced">They were not given time for it.</param>
/// <param name="Overdue">They were given time, and some did not end in it.</param>
internal sealed record GroupResult(IReadOnlyList<RankExit> Exits, TimeSpan Lasted, bool Asked, bool Forced, bool Overdue)
{
    private const int ByKill = 137;

    /// <summary>Whether an error stands on the launcher's error stream already.</summary>
    public Func<string, bool> Shows { get; init; } = _ => false;

    /// <summary>All ranks refused the same, in words that are shown: no rank brought down the others.</summary>
    public bool Refused => Exits.All(exit => exit is { Killed: false, Code: RankExit.Refused } && exit.Tail is [.., var last] && Shows(last));

    /// <summary>The worst rank's exit code; those that the launcher ended do not count.</summary>
    public int Code
    {
        get
        {
            if (Exits.Count == 0)
            {
                return RankExit.Interrupted;
            }

            var worst = Exits.MaxBy(exit => (exit.Severity, exit.Code))!;
            // A rank that was stopped before it listened to signals had nothing to save yet.
            var stopped = Asked && Exits.All(exit => exit.Killed || exit.Code is 0 or RankExit.Interrupted or 128 + 15);
            return Forced ? RankExit.Interrupted
                : stopped ? (Overdue ? ByKill : Exits.All(exit => exit.Code == 0) ? 0 : RankExit.Interrupted)
                : worst.Severity > 0 ? worst.Code
                : Exits.Any(exit => exit.Killed) ? ByKill : 0;
        }
    }

    /// <summary>The rank that brought the others down: one struck by a signal, else the first that failed. Null if none.</summary>
    public RankExit? Culprit => Exits.Where(exit => exit.Severity > 1).OrderByDescending(exit => exit.Struck).ThenBy(exit => exit.After).FirstOrDefault();

    /// <summary>Rank 0 could not listen where the others look for it.</summary>
    public bool PortTaken => Exits.Any(exit => exit is { Rank: 0, Killed: false, Code: not 0 } && exit.Tail.Any(line =>
        line.Contains("EADDRINUSE", StringComparison.Ordinal) || line.Contains("address already in use", StringComparison.OrdinalIgnoreCase)));
}
