using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Fovea.Launch;
using Fovea.Launch.Native;

namespace Fovea.Probe;

/// <summary>
/// What a rank of <c>launch-check</c> does instead of training: <c>WHO:WHAT[=HOW]</c> in turn. WHO is <c>*</c>, a rank, or either with
/// <c>@N</c>: only after N restarts.
/// </summary>
internal sealed class RankActions : IDisposable
{
    private readonly List<IDisposable> held = [];
    private readonly ManualResetEventSlim asked = new();
    private readonly int rank = Number("RANK");
    private readonly int world = Number("WORLD_SIZE");
    private readonly string restart = Environment.GetEnvironmentVariable("TORCHELASTIC_RESTART_COUNT") ?? "0";

    /// <returns>The exit code.</returns>
    public int Run(IEnumerable<string> actions, string? folder)
    {
        foreach (var action in actions)
        {
            var (who, what) = Split(action, ':');
            var (verb, how) = Split(what, '=');
            if (Mine(who) && Do(verb, how, folder) is { } code)
            {
                return code;
            }
        }

        return 0;
    }

    public void Dispose() => held.ForEach(item => item.Dispose());

    private int? Do(string verb, string how, string? folder)
    {
        switch (verb)
        {
            case "print":
                Console.Out.WriteLine(how);
                return null;
            case "error":
                Console.Error.WriteLine(how);
                return null;
            case "variables":
                string[] names = ["RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "OMP_NUM_THREADS"];
                Console.Out.WriteLine(string.Join(' ', names.Select(name => $"{name}={Environment.GetEnvironmentVariable(name)}")));
                return null;
            case "sleep":
                Thread.Sleep(TimeSpan.FromSeconds(double.Parse(how)));
                return null;
            case "exit":
                return int.Parse(how);
            case "signal":
                ProcessControl.Signal(Environment.ProcessId, int.Parse(how));
                Thread.Sleep(TimeSpan.FromSeconds(10));
                return 99;
            case "save":
                Directory.CreateDirectory(folder!);
                File.WriteAllText(Path.Combine(folder!, how), "saved");
                return null;
            case "await":
                return Await(Path.Combine(folder!, how)) ? null : 98;
            case "deaf":
                held.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => signal.Cancel = true));
                return null;
            case "obey":
                held.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, Ask));
                Console.Out.WriteLine("ready");
                asked.Wait(TimeSpan.FromMinutes(2));
                Console.Out.WriteLine("saving");
                Thread.Sleep(TimeSpan.FromSeconds(double.Parse(how)));
                return RankExit.Interrupted;
            case "meet":
                return Meet(TimeSpan.FromSeconds(double.Parse(how)));
            default:
                throw new ConfigException($"launch-check: there is no action {verb}");
        }
    }

    /// <summary>Waits for a file that another rank saves: ranks do not start at the same time.</summary>
    private static bool Await(string path)
    {
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < TimeSpan.FromMinutes(2); Thread.Sleep(5))
        {
            if (File.Exists(path))
            {
                return true;
            }
        }

        return false;
    }

    private void Ask(PosixSignalContext signal)
    {
        signal.Cancel = true;
        asked.Set();
    }

    /// <summary>All connect to rank 0, stay connected for a time, and fail when one is lost: what a collective does, in small.</summary>
    private int? Meet(TimeSpan time)
    {
        var port = Number("MASTER_PORT");
        try
        {
            return rank == 0 ? Host(port, time) : Join(Environment.GetEnvironmentVariable("MASTER_ADDR")!, port, time);
        }
        catch (SocketException e)
        {
            Console.Error.WriteLine($"error: rank {rank}: {(e.SocketErrorCode is SocketError.AddressAlreadyInUse ? "EADDRINUSE: " : "")}{e.Message}");
            return 1;
        }
    }

    private int? Host(int port, TimeSpan time)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Any, port));
        listener.Listen(world);
        var others = new List<Socket>();
        while (others.Count < world - 1)
        {
            others.Add(listener.Accept());
            held.Add(others[^1]);
        }

        Console.Out.WriteLine($"all {world} ranks met");
        others.ForEach(other => other.Send([1]));
        var until = DateTime.UtcNow + time;
        while (DateTime.UtcNow < until)
        {
            if (others.Any(other => other.Poll(1000, SelectMode.SelectRead)))
            {
                Console.Error.WriteLine("error: rank 0: connection closed by another rank");
                return 1;
            }

            Thread.Sleep(10);
        }

        others.ForEach(other => other.Send([2]));
        return null;
    }

    private int? Join(string address, int port, TimeSpan time)
    {
        var patience = DateTime.UtcNow.AddSeconds(20);
        while (true)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Connect(address, port);
                held.Add(socket);
                // Past the agreed time by far: silence of a host that is cut off ends too.
                socket.ReceiveTimeout = (int)(time + TimeSpan.FromSeconds(5)).TotalMilliseconds;
                var word = new byte[1];
                for (var i = 0; i < 2; i++)
                {
                    if (socket.Receive(word) == 0)
                    {
                        Console.Error.WriteLine($"error: rank {rank}: connection closed by rank 0");
                        return 1;
                    }
                }

                return null;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionRefused && DateTime.UtcNow < patience)
            {
                socket.Dispose();
                Thread.Sleep(50);
            }
        }
    }

    private bool Mine(string who)
    {
        var (number, starts) = Split(who, '@');
        return (number == "*" || int.Parse(number) == rank) && (starts.Length == 0 || starts == restart);
    }

    private static (string Head, string Tail) Split(string text, char at) =>
        text.IndexOf(at) is var i and >= 0 ? (text[..i], text[(i + 1)..]) : (text, string.Empty);

    private static int Number(string name) => int.TryParse(Environment.GetEnvironmentVariable(name), out var value) ? value : 0;
}
