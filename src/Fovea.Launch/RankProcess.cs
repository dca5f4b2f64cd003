using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using Fovea.Launch.Native;

namespace Fovea.Launch;

/// <summary>One rank as a child of this process. Rank 0 keeps the terminal; the others print into their logs, and their errors here too.</summary>
internal sealed class RankProcess : IDisposable
{
    // Ranks run the program that launches them.
    private static readonly string Program = Assembly.GetEntryAssembly()!.Location;

    private readonly Process process;
    private readonly RankLog log;
    private readonly RankErrors errors;
    private volatile bool quiet;

    /// <summary>Starts it. The calling thread must live as long as the rank: the kernel ends the rank with it.</summary>
    public RankProcess(
        IReadOnlyList<string> arguments, RankEnvironment variables, IEnumerable<(string Name, string Value)> more, RankLog log, RankErrors errors)
    {
        this.log = log;
        this.errors = errors;
        Rank = variables.Rank;
        var first = Rank == 0;
        var start = new ProcessStartInfo(Host(), [Program, .. arguments])
        {
            RedirectStandardOutput = !first,
            RedirectStandardError = true,
            RedirectStandardInput = !first,
        };
        foreach (var (name, value) in variables.Variables.Concat(more))
        {
            start.Environment[name] = value;
        }

        start.Environment[RankStart.LauncherVariable] = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        process = new Process { StartInfo = start };
        process.ErrorDataReceived += (_, line) => TakeError(line.Data);
        process.OutputDataReceived += (_, line) => Take(line.Data);
        process.Start();
        process.BeginErrorReadLine();
        if (!first)
        {
            process.BeginOutputReadLine();
            process.StandardInput.Close();
        }
    }

    public int Rank { get; }

    public int Id => process.Id;

    public bool HasExited => process.HasExited;

    /// <summary>Whether the launcher killed it.</summary>
    public bool Killed { get; private set; }

    /// <summary>From now on its errors go into its log only: another rank has failed, and what follows is the consequence.</summary>
    public void Hush() => quiet = Rank != 0;

    /// <summary>Asks it to save and end.</summary>
    public void Stop()
    {
        if (!process.HasExited)
        {
            ProcessControl.Signal(process.Id, ProcessControl.Terminate);
        }
    }

    public void Kill()
    {
        if (!process.HasExited)
        {
            Killed = true;
            ProcessControl.Signal(process.Id, ProcessControl.Kill);
        }
    }

    /// <summary>How it ended, once it has.</summary>
    public RankExit Exit(TimeSpan after)
    {
        try
        {
            // All that it printed, but not without end: what the rank has started may still hold its output open.
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2));
            process.WaitForExitAsync(limit.Token).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
        }

        return new RankExit(Rank, process.Id, process.ExitCode, after, Killed && process.ExitCode == 128 + ProcessControl.Kill, log.Tail(8), log.Path);
    }

    public void Dispose() => process.Dispose();

    /// <summary>What runs programs of .NET.</summary>
    public static string Host() =>
        Environment.GetEnvironmentVariable("FOVEA_DOTNET") is { Length: > 0 } host && File.Exists(host) ? host : Environment.ProcessPath!;

    private void Take(string? line)
    {
        if (line is not null)
        {
            log.Write(line);
        }
    }

    private void TakeError(string? line)
    {
        Take(line);
        if (line is not null && !quiet)
        {
            errors.Take(Rank, line);
        }
    }
}
