using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using Fovea.Launch.Native;

namespace Fovea.Launch;

/// <summary>The command line program, started by this process for work of its own.</summary>
/// <param name="assembly">The program's assembly.</param>
internal sealed class OwnProgram(string assembly)
{
    // As a terminal's Ctrl-C does, an interrupt reaches the whole group. The shell that leads it waits on, and says how the program ended.
    private const string Detached = "trap : INT TERM; cd \"$1\" || exit; out=$2; end=$3; shift 3; \"$@\" > \"$out\" 2>&1 < /dev/null; echo $? > \"$end\"";

    /// <summary>Runs it to its end with a text as its input.</summary>
    /// <exception cref="OperationCanceledException">It was no longer wanted; it has been killed.</exception>
    /// <exception cref="IOException">It cannot be started.</exception>
    public async Task<ProgramEnd> Ask(IReadOnlyList<string> arguments, string input, CancellationToken cancel)
    {
        var command = Command(arguments);
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
            StandardInputEncoding = new UTF8Encoding(false), StandardOutputEncoding = Encoding.UTF8, StandardErrorEncoding = Encoding.UTF8,
        };
        using var process = Start(start);
        try
        {
            var (output, errors) = (process.StandardOutput.ReadToEndAsync(cancel), process.StandardError.ReadToEndAsync(cancel));
            await Give(process.StandardInput, input);
            var end = new ProgramEnd(0, await output, await errors);
            await process.WaitForExitAsync(cancel);
            return end with { Code = process.ExitCode };
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    /// <summary>Starts it in a process group of its own, which outlives this process. What it prints goes into one file, its exit code into another.</summary>
    /// <returns>The group's id.</returns>
    /// <exception cref="IOException">It cannot be started.</exception>
    public int Begin(IReadOnlyList<string> arguments, string output, string end)
    {
        using var process = Start(new ProcessStartInfo(
            "setsid", ["/bin/sh", "-c", Detached, "fovea", Environment.CurrentDirectory, output, end, .. Command(arguments)]));
        return process.Id;
    }

    /// <summary>Interrupts a group, as Ctrl-C would; false where it has gone.</summary>
    public static bool Interrupt(int group) => ProcessControl.Signal(-group, ProcessControl.Interrupt);

    private static async Task Give(StreamWriter input, string text)
    {
        try
        {
            await input.WriteAsync(text);
            input.Close();
        }
        catch (IOException)
        {
            // It has ended without reading on; what it says tells why.
        }
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new IOException($"{start.FileName} cannot be started: {e.Message}");
        }
    }

    // Under a host the program is its first argument; a tool's own starter knows it.
    private string[] Command(IReadOnlyList<string> arguments) =>
        Path.GetFileNameWithoutExtension(RankProcess.Host()) == "dotnet" ? [RankProcess.Host(), assembly, .. arguments] : [RankProcess.Host(), .. arguments];
}
