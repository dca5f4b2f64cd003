namespace Fovea;

/// <summary>
/// The stream of <c>torch.Generator().manual_seed(seed)</c> on the CPU: MT19937 seeded by Knuth's recurrence with the seed's low 32 bits
/// (Matsumoto and Nishimura 1998), and <c>randperm</c> as ATen draws it.
/// </summary>
internal sealed class TorchRandom
{
    private const int Words = 624;
    private const int Middle = 397;
    private readonly uint[] state = new uint[Words];
    private int next = Words;

    public TorchRandom(long seed)
    {
        state[0] = (uint)seed;
        for (var i = 1; i < Words; i++)
        {
            state[i] = (1812433253u * (state[i - 1] ^ (state[i - 1] >> 30))) + (uint)i;
        }
    }

    /// <summary>The generator in a given state, for another way to seed it.</summary>
    /// <param name="words">624 of them; copied.</param>
    public TorchRandom(ReadOnlySpan<uint> words) => words.CopyTo(state);

    /// <summary>32 random bits.</summary>
    public uint NextUInt32()
    {
        if (next == Words)
        {
            Refill();
        }

        var y = state[next++];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680;
        y ^= (y << 15) & 0xefc60000;
        return y ^ (y >> 18);
    }

    /// <summary>Uniform in [0, 1), 24 bits, as <c>torch.rand</c> in float32.</summary>
    public float NextSingle() => (NextUInt32() & 0xffffff) * (1f / (1 << 24));

    /// <summary><c>torch.randperm(n)</c>, for n below 214 million (where ATen begins to draw 64 bits).</summary>
    public int[] RandPerm(int n)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)n, uint.MaxValue / 20);
        var order = new int[n];
        for (var i = 0; i < n; i++)
        {
            order[i] = i;
        }

        for (var i = 0; i < n - 1; i++)
        {
            var j = i + (int)(NextUInt32() % (uint)(n - i));
            (order[i], order[j]) = (order[j], order[i]);
        }

        return order;
    }

    private void Refill()
    {
        for (var i = 0; i < Words; i++)
        {
            var y = (state[i] & 0x80000000) | (state[(i + 1) % Words] & 0x7fffffff);
            state[i] = state[(i + Middle) % Words] ^ (y >> 1) ^ ((y & 1) == 0 ? 0 : 0x9908b0df);
        }

        next = 0;
    }
}
