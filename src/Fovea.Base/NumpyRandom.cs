using System.Globalization;

namespace Fovea;

/// <summary>
/// The stream of <c>numpy.random.default_rng(seed)</c>: SeedSequence, PCG64 (XSL-RR 128/64) and <c>permutation</c>.
/// Needed because the reference splits datasets with it.
/// </summary>
internal sealed class NumpyRandom
{
    private const uint InitA = 0x43b0d7e5;
    private const uint MultA = 0x931e8875;
    private const uint InitB = 0x8b51f9dd;
    private const uint MultB = 0x58f38ded;
    private const uint MixLeft = 0xca01f9dd;
    private const uint MixRight = 0x4973f715;
    private static readonly UInt128 Multiplier = new(2549297995355413924, 4865540595714422341);
    private UInt128 increment;
    private UInt128 state;
    private uint? spare;

    public NumpyRandom(ulong seed)
    {
        var words = Expand(seed);
        increment = (new UInt128(words[2], words[3]) << 1) | 1;
        Step();
        state += new UInt128(words[0], words[1]);
        Step();
    }

    /// <summary>Where the stream stands, as text; set, it goes on from there whatever its seed was.</summary>
    public string State
    {
        get => spare is null ? $"{state:x32} {increment:x32}" : $"{state:x32} {increment:x32} {spare:x8}";
        set
        {
            var parts = value.Split(' ');
            UInt128 Number(string hex) => UInt128.Parse(hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            (state, increment, spare) = (Number(parts[0]), Number(parts[1]), parts.Length > 2 ? (uint)Number(parts[2]) : null);
        }
    }

    /// <summary>64 random bits.</summary>
    public ulong NextUInt64()
    {
        Step();
        var high = (ulong)(state >> 64);
        return ulong.RotateRight(high ^ (ulong)state, (int)(high >> 58));
    }

    /// <summary>Uniform in [0, 1), 53 bits.</summary>
    public double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform in [0, <paramref name="last"/>], by rejection under a mask of bits (numpy's <c>random_interval</c>, which shuffling uses).</summary>
    public uint NextInterval(uint last)
    {
        if (last == 0)
        {
            return 0;
        }

        var mask = uint.MaxValue >> System.Numerics.BitOperations.LeadingZeroCount(last);
        uint value;
        do
        {
            value = NextUInt32() & mask;
        }
        while (value > last);
        return value;
    }

    /// <summary>One number of <c>Generator.integers(0, n, size)</c>: by multiplication and rejection (Lemire), 32 bits a draw.</summary>
    /// <param name="n">At least 1.</param>
    public uint NextBelow(uint n)
    {
        if (n == 1)
        {
            return 0;
        }

        var product = (ulong)NextUInt32() * n;
        if ((uint)product < n)
        {
            for (var threshold = (uint.MaxValue - (n - 1)) % n; (uint)product < threshold;)
            {
                product = (ulong)NextUInt32() * n;
            }
        }

        return (uint)(product >> 32);
    }

    /// <summary><c>Generator.shuffle(list)</c>.</summary>
    public void Shuffle<T>(IList<T> items)
    {
        for (var i = items.Count - 1; i > 0; i--)
        {
            var j = (int)NextInterval((uint)i);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    /// <summary>One number of <c>Generator.choice(n, size, p=...)</c>.</summary>
    /// <param name="cumulated">The sums of the probabilities up to each, divided by the last.</param>
    public int Choice(ReadOnlySpan<double> cumulated)
    {
        var draw = NextDouble();
        var (low, high) = (0, cumulated.Length - 1);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = cumulated[middle] > draw ? (low, middle) : (middle + 1, high);
        }

        return low;
    }

    /// <summary><c>Generator.permutation(n)</c>: 0..n-1 shuffled from the end.</summary>
    public int[] Permutation(int n)
    {
        var order = new int[n];
        for (var i = 0; i < n; i++)
        {
            order[i] = i;
        }

        for (var i = n - 1; i > 0; i--)
        {
            var j = (int)NextInterval((uint)i);
            (order[i], order[j]) = (order[j], order[i]);
        }

        return order;
    }

    private static ulong[] Expand(ulong seed)
    {
        Span<uint> pool = stackalloc uint[4];
        var hash = InitA;
        uint Hash(uint value)
        {
            value ^= hash;
            hash *= MultA;
            value *= hash;
            return value ^ (value >> 16);
        }

        for (var i = 0; i < 4; i++)
        {
            pool[i] = Hash(i == 0 ? (uint)seed : i == 1 ? (uint)(seed >> 32) : 0);
        }

        for (var from = 0; from < 4; from++)
        {
            for (var to = 0; to < 4; to++)
            {
                if (from != to)
                {
                    var mixed = (MixLeft * pool[to]) - (MixRight * Hash(pool[from]));
                    pool[to] = mixed ^ (mixed >> 16);
                }
            }
        }

        var words = new ulong[4];
        var factor = InitB;
        for (var i = 0; i < 8; i++)
        {
            var word = pool[i % 4] ^ factor;
            factor *= MultB;
            word *= factor;
            word ^= word >> 16;
            words[i / 2] |= (ulong)word << (32 * (i % 2));
        }

        return words;
    }

    private void Step() => state = (state * Multiplier) + increment;

    private uint NextUInt32()
    {
        if (spare is { } kept)
        {
            spare = null;
            return kept;
        }

        var bits = NextUInt64();
        spare = (uint)(bits >> 32);
        return (uint)bits;
    }
}
