using Fovea.Evaluation.Coherence;
using Fovea.Evaluation.Custom;
using Fovea.Evaluation.Predictions;

namespace Fovea.Evaluation;

/// <summary>The list of all benchmarks.</summary>
internal static class Benchmarks
{
    private const string Custom = "custom";

    /// <summary>In the order in which they are listed. A further benchmark is a class and a line here.</summary>
    public static IReadOnlyList<BenchmarkEntry> All { get; } =
    [
        new(new CoherenceBenchmark(), "none: it is drawn", NamedPredictions.Plain),
    ];

    /// <param name="name">As the command line spells it; <c>custom</c> for rows of one's own.</param>
    /// <param name="metric">The metric of custom rows.</param>
    /// <param name="arguments">Its settings, as <c>key=value</c>.</param>
    /// <exception cref="ConfigException">There is none of that name, or the metric is wrong.</exception>
    public static BenchmarkEntry Find(string name, string? metric = null, IReadOnlyList<string>? arguments = null)
    {
        if (name == Custom)
        {
            return new(new CustomBenchmark(CustomMetric.Of(metric, arguments ?? [])), "rows with expected answers", NamedPredictions.Plain);
        }

        return metric is null && arguments is null or [] ? Find(name) : throw new ConfigException($"--metric is for custom rows; {name} has its own rule");
    }

    private static BenchmarkEntry Find(string name) => All.FirstOrDefault(entry => entry.Benchmark.Name == name)
        ?? throw new ConfigException($"there is no benchmark {name}{Nearest(name)}; `fovea evaluate` alone lists them");

    private static string Nearest(string name) =>
        NearestKey.To(name, All.Select(entry => entry.Benchmark.Name).Append(Custom)) is { } near ? $"; did you mean {near}?" : string.Empty;
}
