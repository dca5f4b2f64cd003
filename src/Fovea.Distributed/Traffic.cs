using Fovea.Tensors.Collectives;

namespace Fovea.Distributed;

/// <summary>
/// Bytes that this rank had to send, by the theory of each collective on n bytes and W ranks: all-reduce 2 (W-1)/W n; reduce-scatter, all-to-all and
/// broadcast (the mean over ranks) (W-1)/W n; all-gather (W-1)/W of the gathered n.
/// </summary>
internal sealed class Traffic
{
    private readonly long[] bytes = new long[Enum.GetValues<CollectiveKind>().Length];

    public long this[CollectiveKind kind] => Interlocked.Read(ref bytes[(int)kind]);

    public long Total => Enum.GetValues<CollectiveKind>().Sum(kind => this[kind]);

    /// <param name="whole">Bytes of the whole tensor: what is reduced, gathered, scattered or sent.</param>
    internal void Count(CollectiveKind kind, long whole, int worldSize) =>
        Interlocked.Add(ref bytes[(int)kind], whole * (worldSize - 1) / worldSize * (kind == CollectiveKind.AllReduce ? 2 : 1));
}
