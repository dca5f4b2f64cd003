using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Fovea.Tests.Distributed;

/// <summary>Several processes of the command line program, or of the probe, that train together on this machine, one thread each.</summary>
internal sealed class RankGroup : IDisposable
{
    /// <summary>An image whose header is whole and whose pixels are not.</summary>
    public static readonly string BrokenImage = TestFiles.Golden("images/broken/truncated.jpg");

    private readonly FoveaProcess[] ranks;

    private RankGroup(FoveaProcess[] ranks) => this.ranks = ranks;

    public FoveaProcess this[int rank] => ranks[rank];

    public static RankGroup Start(int count, params IReadOnlyList<string> arguments) => Start(count, _ => arguments);

    /// <param name="arguments">Of each rank.</param>
    public static RankGroup Start(int count, Func<int, IReadOnlyList<string>> arguments)
    {
        var port = FreePort().ToString(CultureInfo.InvariantCulture);
        return new RankGroup([.. Enumerable.Range(0, count).Select(rank => FoveaProcess.StartWith(Variables(rank, count, port), arguments(rank)))]);
    }

    /// <summary>Runs all ranks to their end, which must be good.</summary>
    public static RankGroup Run(int count, params IReadOnlyList<string> arguments)
    {
        using var group = Start(count, arguments);
        foreach (var rank in group.ranks)
        {
            Assert.True(rank.Wait() == 0, $"{rank.Output}\n{string.Join('\n', group.ranks.Select(r => r.Errors))}");
        }

        return group;
    }

    public static Dictionary<string, string?> Variables(int rank, int count, string port) => new()
    {
        ["RANK"] = rank.ToString(CultureInfo.InvariantCulture),
        ["LOCAL_RANK"] = rank.ToString(CultureInfo.InvariantCulture),
        ["WORLD_SIZE"] = count.ToString(CultureInfo.InvariantCulture),
        ["MASTER_ADDR"] = "127.0.0.1",
        ["MASTER_PORT"] = port,
    };

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public void Dispose()
    {
        foreach (var rank in ranks)
        {
            rank.Dispose();
        }
    }
}
