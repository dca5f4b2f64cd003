namespace Fovea.Evaluation.Statistics;

/// <summary>
/// 95 % intervals by the percentile bootstrap (Efron 1979): the metric of samples of the items, drawn with repetition, between the 2.5th and the 97.5th
/// percentile. The draws depend on the seed and the number of items alone.
/// </summary>
internal static class Bootstrap
{
    /// <summary>How many samples are drawn.</summary>
    public const int Resamples = 1000;

    private const int Seed = 20260101;

    /// <summary>The values of each metric on the samples, none where a metric cannot be resampled. All metrics see the same samples.</summary>
    public static IReadOnlyList<double[]> Values(IReadOnlyList<MetricValue> metrics, int items, int resamples = Resamples)
    {
        var asked = metrics.Select(metric => items > 0 ? metric.Resample : null).ToList();
        var drawn = asked.Select(of => of is null ? [] : new double[resamples]).ToList();
        if (!asked.TrueForAll(of => of is null))
        {
            Parallel.For(0, resamples, round =>
            {
                var sample = Draw(items, round);
                for (var i = 0; i < asked.Count; i++)
                {
                    if (asked[i] is { } value)
                    {
                        drawn[i][round] = value(sample);
                    }
                }
            });
        }

        return drawn;
    }

    /// <summary>The interval of what has these values on the samples; null where none of them is a number.</summary>
    public static Interval? Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Where(double.IsFinite).Order()];
        return sorted.Length == 0 ? null : new Interval(At(0.025), At(0.975));

        double At(double share)
        {
            var place = share * (sorted.Length - 1);
            var below = (int)place;
            var above = Math.Min(below + 1, sorted.Length - 1);
            return sorted[below] + ((place - below) * (sorted[above] - sorted[below]));
        }
    }

    /// <summary>The interval of a mean.</summary>
    public static Interval OfMean(IReadOnlyList<double> values, int resamples = Resamples) =>
        Of(Values([new MetricValue("mean", 0, sample => sample.Sum(i => values[i]) / sample.Length)], values.Count, resamples)[0])!.Value;

    /// <summary>Indices of a sample, with repetition.</summary>
    internal static int[] Draw(int items, int round)
    {
        var sample = new int[items];
        for (var i = 0; i < items; i++)
        {
            var bits = SplitMix.Mix(SplitMix.Mix(Seed, (ulong)round), (ulong)i);
            sample[i] = (int)Math.BigMul(bits, (ulong)items, out _);
        }

        return sample;
    }
}
