using System.Diagnostics;
using System.Text;

namespace Fovea.Tests;

/// <summary>The command line program as a process of its own, on the host that runs the tests.</summary>
internal sealed class FoveaProcess : IDisposable
{
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(3);
    private const string ProbeWord = "probe";
    private readonly Process process;
    private readonly StringBuilder output = new();
    private readonly StringBuilder errors = new();

    private FoveaProcess(ProcessStartInfo start)
    {
        process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, line) => Take(output, line.Data);
        process.ErrorDataReceived += (_, line) => Take(errors, line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        process.StandardInput.Close();
    }

    public int Id => process.Id;

    public bool HasExited => process.HasExited;

    /// <summary>All of standard output so far.</summary>
    public string Output => Text(output);

    /// <summary>All of standard error so far.</summary>
    public string Errors => Text(errors);

    /// <param name="forget">Variables of the environment that the program must not see.</param>
    public static FoveaProcess Start(IReadOnlyList<string> arguments, params ReadOnlySpan<string> forget)
    {
        var start = Prepare(Environment.ProcessPath!, [.. Program(arguments)]);
        foreach (var name in forget)
        {
            start.Environment.Remove(name);
        }

        return new FoveaProcess(start);
    }

    /// <summary>Starts it with more variables, or without some (null).</summary>
    /// <param name="before">A program that starts it in its turn, with arguments.</param>
    public static FoveaProcess StartWith(IReadOnlyDictionary<string, string?> variables, IReadOnlyList<string> arguments, params ReadOnlySpan<string> before)
    {
        string[] command = [.. before, Environment.ProcessPath!, .. Program(arguments)];
        var start = Prepare(command[0], command[1..]);
        foreach (var (name, value) in variables)
        {
            start.Environment[name] = value;
        }

        return new FoveaProcess(start);
    }

    /// <summary>Runs to the end where no file may grow past a size, as on a full disk.</summary>
    public static (int Code, string Output, string Errors) RunLimited(int kilobytes, params string[] arguments)
    {
        var start = Prepare("/bin/bash", ["-c", $"trap '' XFSZ; ulimit -f {kilobytes}; exec \"$@\"", "bash", Environment.ProcessPath!, .. Program(arguments)]);
        // The runtime itself keeps compiled code in a large shared file otherwise.
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        using var process = new FoveaProcess(start);
        return (process.Wait(), process.Output, process.Errors);
    }

    /// <summary>Runs to the end; returns the exit code.</summary>
    public static (int Code, string Output, string Errors) Run(params string[] arguments)
    {
        using var process = Start(arguments);
        return (process.Wait(), process.Output, process.Errors);
    }

    /// <summary>Waits for the end; a program that takes too long is killed and fails the test.</summary>
    public int Wait()
    {
        if (!process.WaitForExit(Longest))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"fovea did not end: {Output}\n{Errors}");
        }

        process.WaitForExit();
        return process.ExitCode;
    }

    /// <summary>Waits until something has happened, or the program has ended; says which.</summary>
    public bool WaitUntil(Func<bool> happened)
    {
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < Longest; Thread.Sleep(2))
        {
            if (happened())
            {
                return true;
            }

            if (process.HasExited)
            {
                return false;
            }
        }

        throw new TimeoutException($"fovea: {Output}\n{Errors}");
    }

    /// <summary>SIGKILL: no handler runs.</summary>
    public void Kill()
    {
        process.Kill();
        process.WaitForExit();
    }

    /// <summary>Sends a signal by its name, for instance <c>TERM</c>.</summary>
    public void Signal(string name)
    {
        using var kill = Process.Start("/bin/sh", ["-c", $"kill -{name} {process.Id}"]);
        kill.WaitForExit();
        Assert.Equal(0, kill.ExitCode);
    }

    public void Dispose()
    {
        if (!process.HasExited)
        {
            Kill();
        }

        process.Dispose();
    }

    /// <summary>The program, and what it is told: <c>probe</c> as the first word stands for tests/Probe instead of the command line program.</summary>
    private static IEnumerable<string> Program(IReadOnlyList<string> arguments) => arguments.FirstOrDefault() == ProbeWord
        ? [Path.Combine(AppContext.BaseDirectory, "Fovea.Probe.dll"), .. arguments.Skip(1)]
        : [Path.Combine(AppContext.BaseDirectory, "Fovea.Cli.dll"), .. arguments];

    private static ProcessStartInfo Prepare(string file, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = TestFiles.Root,
        };
        start.Environment["OMP_NUM_THREADS"] = "1";
        return start;
    }

    private static void Take(StringBuilder text, string? line)
    {
        if (line is not null)
        {
            lock (text)
            {
                text.AppendLine(line);
            }
        }
    }

    private static string Text(StringBuilder text)
    {
        lock (text)
        {
            return text.ToString();
        }
    }
}
