using System.Globalization;

namespace Fovea.Distributed;

/// <summary>Processes that train together cannot go on: says which rank, on which host, and why.</summary>
/// <param name="rank">The rank at fault; -1 if unknown.</param>
/// <param name="host">Its host.</param>
/// <param name="cause">What happened to it, as the end of a sentence that begins with the rank.</param>
internal sealed class MeshException(int rank, string host, string cause, Exception? inner = null) : FoveaException(Say(rank, host, cause), inner)
{
    public int Rank => rank;

    public string Host => host;

    public string Cause => cause;

    private static string Say(int rank, string host, string cause) =>
        rank < 0 ? $"a rank of this run {cause}" : string.Create(CultureInfo.InvariantCulture, $"rank {rank} on {host} {cause}");
}
