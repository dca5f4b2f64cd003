using System.Diagnostics;

namespace Fovea.Tests.Distributed;

/// <summary>Two network namespaces joined by a cable: two machines to each other.</summary>
internal sealed class TwoNodes : IDisposable
{
    private static int count;
    private readonly bool made;

    public TwoNodes()
    {
        var tag = $"fv{Environment.ProcessId % 100000}{(char)('a' + Interlocked.Increment(ref count))}";
        Names = [$"{tag}a", $"{tag}b"];
        made = Ip($"netns add {Names[0]}") && Ip($"netns add {Names[1]}")
            && Ip($"link add {Names[0]}0 netns {Names[0]} type veth peer name {Names[1]}0 netns {Names[1]}")
            && Enumerable.Range(0, 2).All(i =>
                Ip($"-n {Names[i]} addr add 10.77.0.{i + 1}/24 dev {Names[i]}0")
                && Ip($"-n {Names[i]} link set {Names[i]}0 up")
                && Ip($"-n {Names[i]} link set lo up"));
    }

    public string[] Names { get; }

    /// <summary>Passes where they cannot be made, and says so.</summary>
    public void Require() => TestFiles.Require(made, "network namespaces cannot be made here (needs root and iproute2's ip)");

    /// <summary>What a launcher on one of them is told.</summary>
    public static (string Name, string? Value)[] Variables(int node, int processes) =>
        [("NNODES", "2"), ("NODE_RANK", $"{node}"), ("NPROC_PER_NODE", $"{processes}"), ("MASTER_ADDR", "10.77.0.1"), ("MASTER_PORT", "29500")];

    /// <summary>The words that start a program on one of them.</summary>
    public string[] On(int node) => ["ip", "netns", "exec", Names[node]];

    /// <summary>Pulls the cable.</summary>
    public void Cut(int node) => Assert.True(Ip($"-n {Names[node]} link set {Names[node]}0 down"));

    public void Dispose()
    {
        foreach (var name in Names)
        {
            Ip($"netns del {name}");
        }
    }

    private static bool Ip(string arguments)
    {
        try
        {
            var start = new ProcessStartInfo("ip", arguments) { RedirectStandardError = true };
            using var process = Process.Start(start)!;
            process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
