using Fovea.Evaluation.Coherence;
using Fovea.Evaluation.Predictions;

namespace Fovea.Evaluation;

/// <summary>The list of all benchmarks.</summary>
internal static class Benchmarks
{
    /// <summary>In the order in which they are listed. A further benchmark is a class and a line here.</summary>
    public static IReadOnlyList<BenchmarkEntry> All { get; } =
    [
        new(new CoherenceBenchmark(), "none: it is drawn", NamedPredictions.Plain),
    ];

    /// <param name="name">As the command line spells it.</param>
    /// <exception cref="ConfigException">There is none of that name.</exception>
    public static BenchmarkEntry Find(string name) => All.FirstOrDefault(entry => entry.Benchmark.Name == name)
        ?? throw new ConfigException($"there is no benchmark {name}{Nearest(name)}; `fovea evaluate` alone lists them");

    private static string Nearest(string name) =>
        NearestKey.To(name, All.Select(entry => entry.Benchmark.Name)) is { } near ? $"; did you mean {near}?" : string.Empty;
}
