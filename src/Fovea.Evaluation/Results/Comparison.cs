using Fovea.Evaluation.Statistics;

namespace Fovea.Evaluation.Results;

/// <summary>Two results of the same benchmark side by side: how much better the second is, whether that may be chance, and which answers changed.</summary>
internal sealed class Comparison
{
    /// <exception cref="ConfigException">They are not of one benchmark, or have no item in common.</exception>
    public Comparison(SavedResult first, SavedResult second)
    {
        (First, Second) = (first, second);
        if (first.Benchmark != second.Benchmark)
        {
            throw new ConfigException($"{first.Path} is a result of {first.Benchmark}, {second.Path} of {second.Benchmark}: only one benchmark's are compared");
        }

        var others = second.Samples.GroupBy(sample => sample.Id).ToDictionary(of => of.Key, of => of.First());
        Pairs = [.. first.Samples.Where(sample => others.ContainsKey(sample.Id)).Select(sample => (sample, others[sample.Id]))];
        if (Pairs.Count == 0)
        {
            throw new ConfigException($"{first.Path} and {second.Path} have no item in common");
        }

        Complete = Pairs.Count == first.Samples.Count && Pairs.Count == second.Samples.Count;
        Test = PairedTest.Of([.. Pairs.Select(pair => pair.First.Score)], [.. Pairs.Select(pair => pair.Second.Score)]);
        Metrics = [.. first.Metrics.Join(second.Metrics, m => m.Key, m => m.Key, (a, b) => Difference(a.Key, a.Value, b.Value))];
        Mean = Difference("mean score of the items", Pairs.Average(pair => pair.First.Score), Pairs.Average(pair => pair.Second.Score));
        Changed = [.. Pairs.Where(pair => pair.First.Answer != pair.Second.Answer)
            .OrderBy(pair => pair.Second.Score - pair.First.Score)];
    }

    public SavedResult First { get; }

    public SavedResult Second { get; }

    /// <summary>The items that both have, in the order of the first.</summary>
    public IReadOnlyList<(SavedSample First, SavedSample Second)> Pairs { get; }

    /// <summary>Whether both have the same items.</summary>
    public bool Complete { get; }

    public PairedTest Test { get; }

    /// <summary>The published metrics.</summary>
    public IReadOnlyList<MetricDifference> Metrics { get; }

    /// <summary>The mean of the items' scores, which is what the test is about.</summary>
    public MetricDifference Mean { get; }

    /// <summary>Items with another answer, those first that became worse.</summary>
    public IReadOnlyList<(SavedSample First, SavedSample Second)> Changed { get; }

    /// <summary>
    /// The interval of a difference is that of the mean of paired differences, where the metric is that mean in some unit (0 to 1, or per cent). Of other
    /// metrics, for instance BLEU, the files hold the values on the samples of the bootstrap, which are the same items for both.
    /// </summary>
    private MetricDifference Difference(string name, double first, double second)
    {
        var (a, b) = (Pairs.Average(pair => pair.First.Score), Pairs.Average(pair => pair.Second.Score));
        var unit = Complete ? new[] { 1.0, 100.0 }.FirstOrDefault(of => Near(first, of * a, of) && Near(second, of * b, of)) : 0;
        if (unit == 0 && name != "mean score of the items")
        {
            return new MetricDifference(name, first, second, Resampled(name));
        }

        unit = unit == 0 ? 1 : unit;
        var interval = Bootstrap.OfMean([.. Pairs.Select(pair => unit * (pair.Second.Score - pair.First.Score))]);
        return new MetricDifference(name, first, second, interval);

        // As far as rounding to two digits of per cent goes.
        static bool Near(double x, double y, double unit) => Math.Abs(x - y) <= 0.0051 * unit / 100;
    }

    /// <summary>Of a metric of all items together; null where the two do not have the same items in the same order.</summary>
    private Interval? Resampled(string name) =>
        Complete && First.Samples.Select(sample => sample.Id).SequenceEqual(Second.Samples.Select(sample => sample.Id))
        && First.Resampled.TryGetValue(name, out var before) && Second.Resampled.TryGetValue(name, out var after) && before.Length == after.Length
            ? Bootstrap.Of(before.Zip(after, (x, y) => y - x)) : null;
}
