using System.Globalization;
using System.Text;
using Fovea.Board.Runs;
using Fovea.Launch;

namespace Fovea.Board.Work;

/// <summary>
/// Starts and stops runs. What is known of one lies in files below the board's folder, and its process is not the board's: a board that is started anew
/// finds it again.
/// </summary>
internal sealed class JobList(RootedFolder files, OwnProgram program)
{
    private const string Own = ".board";
    private const string Settings = "run.yaml";
    private const string Output = "output.txt";
    private const string Group = "process";
    private const string End = "exit";
    private const string Stop = "stopping";
    private const int MostBytes = 1 << 20;
    private const int LongestName = 200;

    // Of a run that has left nothing itself, perhaps because somebody removed it, no more is said then.
    private static readonly TimeSpan Remembered = TimeSpan.FromDays(1);

    // What a shell says of a program that Ctrl-C has ended, as fovea train does.
    private const int Interrupted = 130;

    private readonly Lock guard = new();

    public Job? Find(string id)
    {
        var folder = FolderOf(id);
        if (Text(folder, Group) is not { } group || !int.TryParse(group, NumberStyles.None, CultureInfo.InvariantCulture, out var process))
        {
            return null;
        }

        var alive = IsOurs(process, id);
        int? code = int.TryParse(Text(folder, End), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;
        return new Job
        {
            Id = id,
            Folder = folder,
            Alive = alive,
            Stopping = alive && File.Exists(Path.Combine(folder, Stop)),
            Code = alive ? null : code,
            Changed = RootedFolder.Stamp(Path.Combine(folder, !alive && code is not null ? End : Group)).Changed,
            Problem = alive || code is 0 or Interrupted ? null : Why(code, Printed(folder)),
        };
    }

    /// <summary>Runs with what is known of their processes, and those that have written nothing themselves so far.</summary>
    public IReadOnlyList<RunSummary> Over(IReadOnlyList<RunSummary> runs)
    {
        var own = Path.Combine(files.Path, Own);
        var ids = Directory.Exists(own) ? Directory.GetDirectories(own).Select(folder => Uri.UnescapeDataString(Path.GetFileName(folder))).ToHashSet() : [];
        if (ids.Count == 0)
        {
            return runs;
        }

        var all = runs.Select(run => ids.Remove(run.Id) ? Over(run.Id, run)! : run).ToList();
        all.AddRange(ids.Select(id => Over(id, null)).OfType<RunSummary>()
            .Where(run => run.State == RunState.Running || DateTime.UtcNow - run.Changed < Remembered));
        return [.. all.OrderByDescending(run => run.Changed).ThenBy(run => run.Id, StringComparer.Ordinal)];
    }

    /// <summary>The same for one, which may have written nothing so far.</summary>
    public RunSummary? Over(string id, RunSummary? run)
    {
        if (Find(id) is not { } job)
        {
            return run;
        }

        if (job.Alive)
        {
            run ??= new RunSummary { Id = id, Folder = Path.Combine(files.Path, id), State = RunState.Running, Changed = job.Changed };
            return run with { State = RunState.Running, Reason = null };
        }

        // A run that has said itself how it ended is believed.
        if (run is not null && (run.State is not (RunState.Running or RunState.Silent) || run.Changed > job.Changed.AddSeconds(5)))
        {
            return run;
        }

        run ??= new RunSummary { Id = id, Folder = Path.Combine(files.Path, id), State = RunState.Failed, Changed = job.Changed };
        return run with
        {
            State = job.Code switch { 0 => RunState.Finished, Interrupted => RunState.Stopped, _ => RunState.Failed },
            Reason = job.Problem ?? run.Reason,
        };
    }

    /// <summary>What a run was started with, or what it would be resumed with; null where no board started it.</summary>
    public string? SettingsOf(string id) => Text(FolderOf(id), Settings);

    /// <summary>The end of what its process printed.</summary>
    public string OutputOf(string id) => Printed(FolderOf(id));

    /// <summary>Starts a run.</summary>
    /// <param name="overrides">Settings that go before those of the configuration.</param>
    /// <exception cref="ConfigException">It is running already, or cannot be named.</exception>
    /// <exception cref="IOException">It cannot be started.</exception>
    public void Begin(string id, string yaml, params IReadOnlyList<string> overrides)
    {
        if (Uri.EscapeDataString(id).Length > LongestName)
        {
            throw new ConfigException($"output_dir: {id} is too long a name for the board");
        }

        lock (guard)
        {
            if (Find(id) is { Alive: true })
            {
                throw new ConfigException($"{id} is running already; stop it first, or choose another output_dir");
            }

            var folder = files.Own(Own, Uri.EscapeDataString(id));
            foreach (var name in new[] { Group, End, Stop, Output })
            {
                File.Delete(Path.Combine(folder, name));
            }

            AtomicFile.WriteText(Path.Combine(folder, Settings), yaml);
            var group = program.Begin(
                ["train", Path.Combine(folder, Settings), .. overrides], Path.Combine(folder, Output), Path.Combine(folder, End));
            AtomicFile.WriteText(Path.Combine(folder, Group), group.ToString(CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Interrupts a run, as Ctrl-C would: the first time it finishes its step and saves, the second time it ends at once.</summary>
    /// <returns>False where it does not run.</returns>
    public bool Interrupt(string id)
    {
        lock (guard)
        {
            if (Find(id) is not { Alive: true } job || !int.TryParse(Text(job.Folder, Group), NumberStyles.None, CultureInfo.InvariantCulture, out var group))
            {
                return false;
            }

            AtomicFile.WriteText(Path.Combine(job.Folder, Stop), "1");
            return OwnProgram.Interrupt(group);
        }
    }

    private static string Why(int? code, string printed)
    {
        var last = printed.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .LastOrDefault(line => line.StartsWith("error: ", StringComparison.Ordinal));
        var end = code is null ? "its process is gone without a word: killed, perhaps, or the machine was switched off"
            : string.Create(CultureInfo.InvariantCulture, $"its process ended with code {code}");
        return last is null ? end : $"{end}: {last["error: ".Length..]}";
    }

    /// <summary>Whether a process is the one that was started there. Another one may have its number by now.</summary>
    private static bool IsOurs(int process, string id)
    {
        try
        {
            var line = Encoding.UTF8.GetString(File.ReadAllBytes(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/cmdline")));
            return line.Contains($"/{Own}/{Uri.EscapeDataString(id)}/{End}\0", StringComparison.Ordinal);
        }
        catch (Exception e) when (TextFile.IsUnreadable(e))
        {
            return false;
        }
    }

    private string FolderOf(string id) => Path.Combine(files.Path, Own, Uri.EscapeDataString(id));

    private string Printed(string folder) => files.Tail(Path.Combine(folder, Output), MostBytes / 16);

    private string? Text(string folder, string name) =>
        files.Read(Path.Combine(folder, name), MostBytes) is { } bytes ? Encoding.UTF8.GetString(bytes).TrimEnd('\n') : null;
}
