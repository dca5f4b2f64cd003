namespace Fovea.Evaluation.Statistics;

/// <summary>Whether two models answer the same items differently well.</summary>
/// <param name="Name">Which test it was.</param>
/// <param name="P">How likely a difference at least as large is if there is none; two-sided.</param>
/// <param name="Better">Items on which the second is better.</param>
/// <param name="Worse">Items on which it is worse.</param>
internal sealed record PairedTest(string Name, double P, int Better, int Worse)
{
    private const int Flips = 10_000;
    private const int Exact = 14;
    private const ulong Seed = 20260102;

    /// <summary>McNemar's exact test where all scores are 0 or 1; otherwise a permutation test that flips the signs of differences.</summary>
    public static PairedTest Of(IReadOnlyList<double> first, IReadOnlyList<double> second)
    {
        var differences = first.Zip(second, (a, b) => b - a).Where(d => Math.Abs(d) > 1e-12).ToArray();
        var (better, worse) = (differences.Count(d => d > 0), differences.Count(d => d < 0));
        return first.Concat(second).All(score => score is 0 or 1)
            ? new PairedTest("McNemar's exact test", McNemar(better, worse), better, worse)
            : new PairedTest(differences.Length <= Exact ? "exact sign-flip permutation test" : $"sign-flip permutation test, {Flips} flips",
                SignFlips(differences), better, worse);
    }

    /// <summary>Twice the binomial tail of the smaller count at one half (McNemar 1947).</summary>
    internal static double McNemar(int better, int worse)
    {
        var (n, k) = (better + worse, Math.Min(better, worse));
        var log = -n * Math.Log(2); // of C(n, 0) / 2^n
        var tail = 0.0;
        for (var i = 0; i <= k; i++)
        {
            tail += Math.Exp(log);
            log += Math.Log(n - i) - Math.Log(i + 1);
        }

        return Math.Min(1, 2 * tail);
    }

    private static double SignFlips(double[] differences)
    {
        var observed = Math.Abs(differences.Sum()) - 1e-9;
        if (differences.Length <= Exact)
        {
            var all = 1 << differences.Length;
            return Enumerable.Range(0, all).Count(signs => Math.Abs(Flipped(differences, i => ((signs >> i) & 1) == 1)) >= observed) / (double)all;
        }

        var reached = 0;
        Parallel.For(0, Flips, round =>
        {
            var key = SplitMix.Mix(Seed, (ulong)round);
            var sum = Math.Abs(Flipped(differences, i => (SplitMix.Mix(key, (ulong)(i >> 6)) >> (i & 63) & 1) == 1));
            if (sum >= observed)
            {
                Interlocked.Increment(ref reached);
            }
        });
        return (reached + 1.0) / (Flips + 1);
    }

    private static double Flipped(double[] differences, Func<int, bool> flips)
    {
        var sum = 0.0;
        for (var i = 0; i < differences.Length; i++)
        {
            sum += flips(i) ? -differences[i] : differences[i];
        }

        return sum;
    }
}
