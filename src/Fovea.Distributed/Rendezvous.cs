using System.Diagnostics;
using System.Globalization;
using Fovea.Tensors;
using Fovea.Tensors.Collectives;

namespace Fovea.Distributed;

/// <summary>How the processes of a run find one another: the store, who is where, and what connects them.</summary>
internal static class Rendezvous
{
    private static readonly TimeSpan LongestJoin = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(30);

    /// <summary>How long others are waited for at the start, where a collective may take so long.</summary>
    public static TimeSpan Patience(TimeSpan timeout) => timeout < LongestJoin ? timeout : LongestJoin;

    /// <summary>A connection to the store, which this process serves or another.</summary>
    /// <exception cref="MeshException">It cannot be reached or served.</exception>
    public static TcpStore Connect(RankVariables variables, TimeSpan patience, bool serves)
    {
        try
        {
            return new TcpStore(variables.MasterAddress, variables.MasterPort, serves, variables.WorldSize, patience, variables.Prefix);
        }
        catch (TorchException e)
        {
            var at = string.Create(CultureInfo.InvariantCulture, $"{variables.MasterAddress}:{variables.MasterPort}");
            var words = e.Message.Split('\n')[0];
            throw new MeshException(0, variables.MasterAddress, serves
                ? $"cannot serve the store at {at} (is MASTER_PORT in use, MASTER_ADDR another host's?): {words}"
                : $"cannot be reached by rank {variables.Rank} on {Environment.MachineName} at {at} within {patience.TotalSeconds:0} s: {words}", e);
        }
    }

    /// <summary>The hosts of all ranks, once all have come.</summary>
    /// <exception cref="MeshException">A rank did not come.</exception>
    public static string[] Meet(TcpStore store, RankVariables variables, string host, TimeSpan patience)
    {
        store.Set(string.Create(CultureInfo.InvariantCulture, $"host/{variables.Rank}"), host);
        var hosts = new string[variables.WorldSize];
        var watch = Stopwatch.StartNew();
        for (var r = 0; r < hosts.Length; r++)
        {
            var left = patience - watch.Elapsed;
            hosts[r] = store.Get(string.Create(CultureInfo.InvariantCulture, $"host/{r}"), left > TimeSpan.Zero ? left : TimeSpan.Zero)
                ?? throw new MeshException(r, "an unknown host", $"has not joined within {patience.TotalSeconds:0} s");
        }

        return hosts;
    }

    /// <summary>Connects ranks for collectives.</summary>
    /// <param name="rank">Number of this one among them.</param>
    /// <exception cref="MeshException">They cannot be reached.</exception>
    public static ProcessGroup Open(
        TcpStore store, RankVariables variables, int rank, int ranks, string name, Device device, TimeSpan timeout, string[] hosts)
    {
        try
        {
            // Gloo's own limit comes after ours, which can name the rank.
            return new ProcessGroup(store, rank, ranks, name, OwnAddress.Towards(variables), device, timeout + Margin);
        }
        catch (TorchException e)
        {
            throw new MeshException(variables.Rank, hosts[variables.Rank], $"cannot connect to the other ranks: {e.Message.Split('\n')[0]}", e);
        }
    }
}
