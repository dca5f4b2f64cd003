using System.Diagnostics;

namespace Fovea.Launch;

/// <summary>
/// What ranks print on their error streams, on the launcher's: lines of rank 0 as they are, those of others with their number. An error that several ranks
/// have alike is shown once, as rank 0's where it is among them: the others' wait a moment for it.
/// </summary>
internal sealed class RankErrors
{
    private const string Error = "error: ";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private readonly Lock gate = new();
    private readonly HashSet<string> shown = new(StringComparer.Ordinal);
    private readonly List<(int Rank, string Line, long Since)> held = [];
    private bool mainFailed;

    /// <summary>Shows a line, or holds it back.</summary>
    public void Take(int rank, string line)
    {
        lock (gate)
        {
            var isError = line.StartsWith(Error, StringComparison.Ordinal);
            if (rank == 0)
            {
                // What follows an error belongs to it.
                mainFailed |= isError;
                if (!mainFailed || shown.Add(line))
                {
                    Console.Error.WriteLine(line);
                }
            }
            else if (isError || held.Exists(other => other.Rank == rank))
            {
                held.Add((rank, line, Stopwatch.GetTimestamp()));
            }
            else
            {
                Console.Error.WriteLine(Named(rank, line));
            }
        }
    }

    /// <summary>Shows what has waited long enough, or all of it.</summary>
    public void Show(bool all = false)
    {
        lock (gate)
        {
            while (held is [var first, ..] && (all || Stopwatch.GetElapsedTime(first.Since) > Patience))
            {
                held.RemoveAt(0);
                if (shown.Add(first.Line))
                {
                    Console.Error.WriteLine(Named(first.Rank, first.Line));
                }
            }
        }
    }

    /// <summary>Whether an error stands here already.</summary>
    public bool Shows(string line)
    {
        lock (gate)
        {
            return shown.Contains(line);
        }
    }

    private static string Named(int rank, string line) => $"[rank {rank}] {line}";
}
