namespace Fovea;

/// <summary>The finalizer of SplitMix64 over a Weyl sequence: as a generator that counts it passes BigCrush.</summary>
internal static class SplitMix
{
    /// <summary>64 random bits that depend on both numbers alone.</summary>
    public static ulong Mix(ulong key, ulong counter)
    {
        var z = key + ((counter + 1) * 0x9E3779B97F4A7C15UL);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
