namespace Fovea.Evaluation;

/// <summary>Metrics that are means over items.</summary>
internal static class Means
{
    /// <param name="scale">100 for per cent.</param>
    public static MetricValue Of(string name, double[] values, double scale = 1)
    {
        return new MetricValue(name, scale * values.Average(), sample => scale * Mean(sample));

        double Mean(int[] sample)
        {
            var sum = 0.0;
            foreach (var i in sample)
            {
                sum += values[i];
            }

            return sum / sample.Length;
        }
    }

    /// <summary>The mean of each group of each kind, in the order of their names.</summary>
    public static IEnumerable<GroupScore> ByGroup(IReadOnlyList<BenchmarkItem> items, double[] values, string metric, double scale = 1) =>
        items.SelectMany((item, i) => item.Groups.Select(pair => (Kind: pair.Key, Group: pair.Value, Value: values[i])))
            .GroupBy(one => (one.Kind, one.Group))
            .OrderBy(some => some.Key.Kind, StringComparer.Ordinal).ThenBy(some => some.Key.Group, StringComparer.Ordinal)
            .Select(some => new GroupScore(some.Key.Kind, some.Key.Group, some.Count(), metric, scale * some.Average(one => one.Value)));
}
