using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Fovea.Bench;

/// <summary>
/// A process that answers in lines of JSON: a Python one of <c>bench/peer</c>, which loads its job once and then does one round for each line it is sent,
/// or this program once more.
/// </summary>
internal sealed class PeerProcess : IDisposable
{
    private readonly Process process;

    /// <param name="script">File in <c>bench/peer</c>.</param>
    /// <exception cref="ConfigException">This is no checkout with a bench folder, or the Python side did not start.</exception>
    public PeerProcess(string script, params IReadOnlyList<string> arguments)
        : this(new ProcessStartInfo(Path.Combine(Folder(), "python"), [Path.Combine(Folder(), script), .. arguments]))
    {
    }

    /// <summary>Any program that answers so.</summary>
    public PeerProcess(ProcessStartInfo start)
    {
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        process = Process.Start(start) ?? throw new ConfigException($"{start.FileName} did not start");
    }

    /// <summary>This program with other arguments, under the same host.</summary>
    public static PeerProcess Own(params IReadOnlyList<string> arguments) =>
        new(new ProcessStartInfo(Environment.ProcessPath!, [Program.Path, .. arguments]));

    /// <summary>The next JSON line it writes.</summary>
    public JsonObject Read()
    {
        while (process.StandardOutput.ReadLine() is { } line)
        {
            if (line.StartsWith('{'))
            {
                return JsonNode.Parse(line)!.AsObject();
            }
        }

        process.WaitForExit();
        throw new ConfigException(
            $"{process.StartInfo.ArgumentList[0]} ended with exit code {process.ExitCode}; its messages are above. bench/README.md says what it needs");
    }

    /// <summary>Sends one line and reads the answer.</summary>
    public JsonObject Ask(string line)
    {
        process.StandardInput.WriteLine(line);
        process.StandardInput.Flush();
        return Read();
    }

    public void Dispose()
    {
        process.StandardInput.Close();
        if (!process.WaitForExit(10_000))
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
        }

        process.Dispose();
    }

    private static string Folder()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var peer = Path.Combine(folder.FullName, "bench", "peer");
            if (File.Exists(Path.Combine(peer, "python")))
            {
                return peer;
            }
        }

        throw new ConfigException("--peer needs the folder bench/peer of a checkout, and there is none above the program");
    }
}
