using Fovea.Evaluation.Coherence;
using Fovea.Evaluation.Custom;
using Fovea.Evaluation.IfEval;
using Fovea.Evaluation.Predictions;

namespace Fovea.Evaluation;

/// <summary>The list of all benchmarks.</summary>
internal static class Benchmarks
{
    private const string Custom = "custom";

    /// <summary>In the order in which they are listed. A further benchmark is a class and a line here.</summary>
    public static IReadOnlyList<BenchmarkEntry> All { get; } =
    [
        .. QuickBenchmarks.All.Select(benchmark => new BenchmarkEntry(benchmark, FilesOf(benchmark), FormOf(benchmark))),
        new(new CoherenceBenchmark(), "no files: its dialogues and pictures are drawn", NamedPredictions.Plain),
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

    private static string FilesOf(Benchmark benchmark) => benchmark is IfEvalBenchmark
        ? "--data input_data.jsonl"
        : "--data with its table: VLMEvalKit's .tsv, or rows of Hugging Face's data set (.parquet, .jsonl, .json); a file or a folder";

    private static PredictionForm FormOf(Benchmark benchmark) => benchmark is IfEvalBenchmark ? new PromptPredictions() : NamedPredictions.Plain;

    private static BenchmarkEntry Find(string name) => All.FirstOrDefault(entry => entry.Benchmark.Name == name)
        ?? throw new ConfigException($"there is no benchmark {name}{Nearest(name)}; `fovea evaluate` alone lists them");

    private static string Nearest(string name) =>
        NearestKey.To(name, All.Select(entry => entry.Benchmark.Name).Append(Custom)) is { } near ? $"; did you mean {near}?" : string.Empty;
}
