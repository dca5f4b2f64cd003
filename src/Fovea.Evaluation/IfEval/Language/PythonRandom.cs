namespace Fovea.Evaluation.IfEval.Language;

/// <summary>The stream of Python's <c>random.Random(seed)</c> for a seed of 32 bits: MT19937 seeded by an array (Matsumoto and Nishimura 2002).</summary>
internal sealed class PythonRandom
{
    private const int Words = 624;
    private readonly TorchRandom twister;
    private double? spare;

    public PythonRandom(uint seed)
    {
        var state = new uint[Words];
        state[0] = 19650218;
        for (var i = 1; i < Words; i++)
        {
            state[i] = (1812433253u * (state[i - 1] ^ (state[i - 1] >> 30))) + (uint)i;
        }

        var at = 1;
        for (var k = 0; k < Words; k++)
        {
            // The array has one word, so that its index, which is added too, stays 0.
            state[at] = (state[at] ^ ((state[at - 1] ^ (state[at - 1] >> 30)) * 1664525u)) + seed;
            Step();
        }

        for (var k = 0; k < Words - 1; k++)
        {
            state[at] = (state[at] ^ ((state[at - 1] ^ (state[at - 1] >> 30)) * 1566083941u)) - (uint)at;
            Step();
        }

        state[0] = 0x80000000;
        twister = new TorchRandom(state);

        void Step()
        {
            if (++at == Words)
            {
                state[0] = state[Words - 1];
                at = 1;
            }
        }
    }

    /// <summary><c>random()</c>: uniform in [0, 1), 53 bits.</summary>
    public double NextDouble()
    {
        var high = twister.NextUInt32() >> 5;
        var low = twister.NextUInt32() >> 6;
        return ((high * 67108864.0) + low) * (1.0 / 9007199254740992.0);
    }

    /// <summary><c>gauss(0, 1)</c>: two at a time by the polar form of Box and Muller.</summary>
    public double NextGauss()
    {
        if (spare is { } kept)
        {
            spare = null;
            return kept;
        }

        var angle = NextDouble() * (2 * Math.PI);
        var radius = Math.Sqrt(-2.0 * Math.Log(1.0 - NextDouble()));
        spare = Math.Sin(angle) * radius;
        return Math.Cos(angle) * radius;
    }

    /// <summary>The index that <c>choice</c> takes of so many.</summary>
    public int NextIndex(int count)
    {
        var bits = 32 - System.Numerics.BitOperations.LeadingZeroCount((uint)count);
        uint index;
        do
        {
            index = twister.NextUInt32() >> (32 - bits);
        }
        while (index >= count);
        return (int)index;
    }
}
