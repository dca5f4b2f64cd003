using System.Diagnostics;

namespace Fovea.Tests.Distributed;

/// <summary>A launcher with ranks that only do what a test says.</summary>
internal sealed class LaunchRun : IDisposable
{
    /// <summary>What a surrounding job might have set.</summary>
    private static readonly string[] Clean =
    [
        "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "NNODES", "NODE_RANK", "NPROC_PER_NODE", "FORCE_TORCHRUN",
        "MAX_RESTARTS", "FOVEA_THREADS", "SLURM_PROCID", "SLURM_NTASKS", "PET_NNODES", "PET_NPROC_PER_NODE", "PET_NODE_RANK",
    ];

    private LaunchRun(FoveaProcess process, string folder)
    {
        Process = process;
        Folder = folder;
    }

    public FoveaProcess Process { get; }

    /// <summary>Its output folder, which does not exist at first.</summary>
    public string Folder { get; }

    /// <summary>Process ids of the ranks that are alive.</summary>
    public int[] Ranks => Children(Process.Id);

    public static LaunchRun Start(int processes, params string[] actions) => Start([("NPROC_PER_NODE", $"{processes}")], actions);

    public static LaunchRun Start((string Name, string? Value)[] variables, string[] actions, params ReadOnlySpan<string> before)
    {
        var folder = Path.Combine(Path.GetTempPath(), $"fovea-launch-{Guid.NewGuid():N}");
        return new LaunchRun(FoveaProcess.StartWith(Variables(variables), ["probe", "launch-check", "--output-dir", folder, .. actions], before), folder);
    }

    /// <summary>Those variables, and none of a job around the tests.</summary>
    public static Dictionary<string, string?> Variables(params (string Name, string? Value)[] variables)
    {
        var all = Clean.ToDictionary(name => name, _ => (string?)null);
        foreach (var (name, value) in variables)
        {
            all[name] = value;
        }

        return all;
    }

    /// <summary>Process ids of the children of a process.</summary>
    public static int[] Children(int parent)
    {
        try
        {
            return [.. Directory.GetDirectories($"/proc/{parent}/task").SelectMany(task => File.ReadAllText($"{task}/children").Split(' '))
                .Where(id => id.Length > 0).Select(int.Parse)];
        }
        catch (IOException)
        {
            return [];
        }
    }

    /// <summary>Waits until something has happened, two minutes at most: on a busy machine a rank may take long to start.</summary>
    public static void WaitFor(Func<bool> happened, Func<string> state)
    {
        for (var watch = Stopwatch.StartNew(); !happened(); Thread.Sleep(5))
        {
            Assert.True(watch.Elapsed < TimeSpan.FromMinutes(2), state());
        }
    }

    public static void Signal(int process, string name)
    {
        using var kill = System.Diagnostics.Process.Start("/bin/sh", ["-c", $"kill -{name} {process}"]);
        kill.WaitForExit();
    }

    public static bool Lives(int process)
    {
        try
        {
            // A zombie has ended; whoever inherits it has not looked yet.
            return !File.ReadAllText($"/proc/{process}/stat").Contains(") Z ", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    public int Wait() => Process.Wait();

    /// <summary>Waits for the end, which must come within seconds of what has just happened.</summary>
    public int WaitBriefly()
    {
        var watch = Stopwatch.StartNew();
        var code = Process.Wait();
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"{watch.Elapsed}");
        return code;
    }

    /// <summary>Waits until every rank waits for its end (<c>*:obey</c>).</summary>
    public void WaitUntilReady(int ranks) => WaitFor(
        () => Process.Output.Contains("ready", StringComparison.Ordinal)
            && Enumerable.Range(1, ranks - 1).All(rank => Log(rank).Contains("ready", StringComparison.Ordinal)),
        () => $"{Process.Output}\n{Process.Errors}");

    /// <summary>A rank's log, wherever it lies; empty where there is none.</summary>
    public string Log(int rank)
    {
        var path = Path.Combine(Folder, "logs", $"rank_{rank}.log");
        if (!File.Exists(path))
        {
            return string.Empty;
        }

        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        return reader.ReadToEnd();
    }

    public void Dispose()
    {
        Process.Dispose();
        if (Directory.Exists(Folder))
        {
            Directory.Delete(Folder, recursive: true);
        }
    }
}
