using Fovea.Training.Config;

namespace Fovea.Training.Optim;

/// <summary>Shapes of the learning rate that need more than how far a run is, as <c>transformers/optimization.py</c> (5.12) computes them.</summary>
internal static class ScheduleShapes
{
    /// <summary>Where <c>polynomial</c> ends unless <c>lr_end</c> says otherwise: a rate, not a part of one.</summary>
    public const double PolynomialEnd = 1e-7;

    /// <summary>The time scale of <c>inverse_sqrt</c> where neither <c>timescale</c> nor a warm-up gives one.</summary>
    private const int LongScale = 10_000;

    public static double Polynomial(int step, int warmup, int total, double rate, double end, double power)
    {
        if (step > total)
        {
            return end / rate;
        }

        var left = 1 - ((double)(step - warmup) / (total - warmup));
        return (((rate - end) * Math.Pow(left, power)) + end) / rate;
    }

    public static double InverseSqrt(int step, int warmup, double? timescale)
    {
        var scale = timescale ?? (warmup > 0 ? warmup : LongScale);
        return 1 / Math.Sqrt((step + scale - warmup) / scale);
    }

    public static double Restarts(double progress, double cycles) =>
        progress >= 1 ? 0 : Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * (cycles * progress % 1))));

    /// <summary>A cosine down to a part of the rate; warm-up and cosine are one step ahead of the others'.</summary>
    public static double RaisedCosine(int step, int warmup, int total, double cycles, double floor, double? start)
    {
        if (step < warmup)
        {
            return start is { } from ? from + ((1 - from) * step / Math.Max(1, warmup - 1)) : (step + 1.0) / Math.Max(1, warmup);
        }

        var progress = (step - warmup + 1.0) / Math.Max(1, total - warmup);
        return Math.Max(0, (0.5 * (1 + Math.Cos(Math.PI * cycles * 2 * progress)) * (1 - floor)) + floor);
    }

    /// <summary>
    /// Warm-up, a constant rate, and a decay. Where only one of the two lengths is given, the other fills the run; where none is, a third of what follows
    /// the warm-up is constant, as LLaMA-Factory has it.
    /// </summary>
    public static double StableDecay(int step, int warmup, int total, NamedValues given)
    {
        var rest = Math.Max(0, total - warmup);
        var decay = given.Number("num_decay_steps") ?? (given.Number("num_stable_steps") is { } flat ? Math.Max(0, rest - flat) : rest - (rest / 3));
        var stable = given.Number("num_stable_steps") ?? (rest - decay);
        var least = given.Number("min_lr_ratio") ?? 0;
        if (step < warmup)
        {
            var risen = (double)step / Math.Max(1, warmup);
            var up = given.Word("warmup_type") switch
            {
                "cosine" => 0.5 * (1 - Math.Cos(Math.PI * risen)),
                "1-sqrt" => 1 - Math.Sqrt(1 - risen),
                _ => risen,
            };
            return Math.Max(0, (up * (1 - least)) + least);
        }

        if (step < warmup + stable)
        {
            return 1;
        }

        if (step >= warmup + stable + decay)
        {
            return least;
        }

        var fallen = (step - warmup - stable) / Math.Max(1, decay);
        var down = given.Word("decay_type") switch
        {
            "linear" => 1 - fallen,
            "1-sqrt" => 1 - Math.Sqrt(fallen),
            _ => 0.5 * (1 + Math.Cos(Math.PI * (given.Number("num_cycles") ?? 0.5) * 2 * fallen)),
        };
        return Math.Max(0, (down * (1 - least)) + least);
    }
}
