using System.Collections.Concurrent;
using Fovea.Runs.Files;

namespace Fovea.Board.Runs;

/// <summary>The runs below a folder, the newest first. A run whose files have not changed is not read again.</summary>
internal sealed class RunList(RootedFolder files)
{
    /// <summary>Folders deeper than this are not looked into.</summary>
    public const int MostDepth = 6;

    private const int MostFolders = 20_000;
    private const int LogTail = 256 << 10;
    private const int LinesTail = 16 << 10;

    // Logged less often than this, or less often than three times as a run did so far, nothing is heard of it.
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(2);

    private static readonly string[] Names =
        [TrainerLogSink.FileName, TrainerState.FileName, RunningLogSink.FileName, "train_results.json", PredictionFiles.Answers];

    private static readonly EnumerationOptions Folders = new() { IgnoreInaccessible = true, AttributesToSkip = FileAttributes.ReparsePoint };

    private readonly ConcurrentDictionary<string, (string Stamp, RunSummary Run, TimeSpan Patience)> known = new(StringComparer.Ordinal);

    /// <summary>Whether there were more folders than are looked into.</summary>
    public bool IsCut { get; private set; }

    public IReadOnlyList<RunSummary> All()
    {
        var runs = new List<RunSummary>();
        var left = new Queue<(string Folder, string Id, int Depth)>([(files.Path, ".", 0)]);
        for (var looked = 0; left.TryDequeue(out var at); looked++)
        {
            IsCut = looked == MostFolders;
            if (IsCut)
            {
                break;
            }

            if (Run(at.Folder, at.Id) is { } run)
            {
                runs.Add(run);
            }

            foreach (var folder in at.Depth < MostDepth ? Below(at.Folder) : [])
            {
                var name = Path.GetFileName(folder);
                if (IsShown(name))
                {
                    left.Enqueue((folder, at.Id == "." ? name : $"{at.Id}/{name}", at.Depth + 1));
                }
            }
        }

        return [.. runs.OrderByDescending(run => run.Changed).ThenBy(run => run.Id, StringComparer.Ordinal)];
    }

    /// <summary>Whether a folder of that name may be a run's, or hold runs.</summary>
    public static bool IsShown(string name) => name.Length > 0 && name[0] != '.' && !name.StartsWith("checkpoint-", StringComparison.Ordinal);

    /// <summary>A run of the list, as it is now.</summary>
    public RunSummary? Find(string id)
    {
        if (!known.ContainsKey(id))
        {
            All();
        }

        return known.TryGetValue(id, out var found) ? Run(found.Run.Folder, id) : null;
    }

    private static IEnumerable<string> Below(string folder)
    {
        try
        {
            return Directory.GetDirectories(folder, "*", Folders);
        }
        catch (Exception e) when (TextFile.IsUnreadable(e))
        {
            return [];
        }
    }

    private RunSummary? Run(string folder, string id)
    {
        var stamps = Array.ConvertAll(Names, name => RootedFolder.Stamp(Path.Combine(folder, name)));
        if (Array.TrueForAll(stamps, stamp => stamp.Length == 0))
        {
            known.TryRemove(id, out _);
            return null;
        }

        var stamp = string.Join(' ', stamps);
        if (!known.TryGetValue(id, out var found) || found.Stamp != stamp)
        {
            var read = Read(folder, id, stamps);
            known[id] = found = (stamp, read.Run, read.Patience);
        }

        return found.Run.State == RunState.Running && DateTime.UtcNow - found.Run.Changed > found.Patience
            ? found.Run with { State = RunState.Silent } : found.Run;
    }

    private (RunSummary Run, TimeSpan Patience) Read(string folder, string id, (long Length, DateTime Changed)[] stamps)
    {
        var words = RunWords.Of(files.Tail(Path.Combine(folder, RunningLogSink.FileName), LogTail));
        var lines = LogLines.Of(files.Tail(Path.Combine(folder, TrainerLogSink.FileName), LinesTail)).ToList();
        double? Last(string key) => lines.Select(line => line.Number(key)).LastOrDefault(value => value is not null);
        var last = lines.LastOrDefault();
        var changed = stamps.Max(of => of.Changed);
        var ended = words.State ?? (words.Started is null && stamps[3].Length > 0 ? RunState.Finished : null);
        var patience = words.Begun is { } begun && lines.Count > 0 ? 3 * (changed - begun) / lines.Count : Quiet;
        return (new RunSummary
        {
            Id = id,
            Folder = folder,
            State = ended ?? RunState.Running,
            Reason = words.Reason,
            Model = words.Model,
            Step = (int?)last?.Number("current_steps"),
            Steps = (int?)last?.Number("total_steps"),
            Epoch = last?.Number("epoch"),
            Loss = Last("loss"),
            EvalLoss = Last("eval_loss"),
            Elapsed = last?.GetValueOrDefault("elapsed_time") as string,
            Remaining = ended is null ? last?.GetValueOrDefault("remaining_time") as string : null,
            Started = words.Started,
            Changed = changed,
        }, patience > Quiet ? patience : Quiet);
    }
}
