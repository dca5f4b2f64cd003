namespace Fovea.Data.Streaming;

/// <summary>What each pass over a stream is drawn from, as Hugging Face's datasets derives it from the seed and the epoch.</summary>
internal static class StreamSeeds
{
    public static NumpyRandom Turns(long seed, int epoch) => epoch == 0 ? new NumpyRandom((ulong)seed) : Shifted(new NumpyRandom((ulong)epoch), epoch);

    public static NumpyRandom Buffer(long seed, int epoch) => epoch == 0 ? new NumpyRandom((ulong)seed) : Shifted(new NumpyRandom((ulong)seed), epoch);

    // integers(0, 2 ** 63): the upper 63 bits.
    private static NumpyRandom Shifted(NumpyRandom random, int epoch) => new((random.NextUInt64() >> 1) - (ulong)epoch);
}
