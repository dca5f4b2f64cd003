using Fovea.Evaluation.Captions;
using Fovea.Evaluation.Coherence;
using Fovea.Evaluation.Custom;
using Fovea.Evaluation.IfEval;
using Fovea.Evaluation.Predictions;
using Fovea.Evaluation.Texts;
using Fovea.Evaluation.Vqa;

namespace Fovea.Evaluation;

/// <summary>The list of all benchmarks.</summary>
internal static class Benchmarks
{
    private const string Custom = "custom";

    /// <summary>In the order in which they are listed. A further benchmark is a class and a line here.</summary>
    public static IReadOnlyList<BenchmarkEntry> All { get; } =
    [
        Vqa(VqaSet.OkVqa, VqaFilesOf(string.Empty)), Vqa(VqaSet.VqaV2, VqaFilesOf("v2_")),
        Vqa(VqaSet.TextVqa, "--data TextVQA_0.5.1_val.json, or a table (.tsv, .parquet, .jsonl); --images with the pictures"),
        Vqa(VqaSet.OkVqa, VqaFilesOf(string.Empty), VqaRule.LmmsEval), Vqa(VqaSet.TextVqa, "as textvqa", VqaRule.LmmsEval),
        new(new CocoCaptionBenchmark(), "--annotations captions_val2014.json or dataset_coco.json, --images with the pictures; or --data with a table",
            NamedPredictions.Captions),
        .. QuickBenchmarks.All.Select(benchmark => new BenchmarkEntry(benchmark, FilesOf(benchmark), FormOf(benchmark))),
        new(new TextBenchmark(), "--predictions generated_predictions.jsonl, as LLaMA-Factory and fovea predict write it", new LabelledPredictions()),
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

    private static BenchmarkEntry Vqa(VqaSet set, string files, VqaRule rule = VqaRule.Official) =>
        new(new VqaBenchmark(set, rule), files, NamedPredictions.Vqa);

    private static string VqaFilesOf(string prefix) =>
        $"--questions {prefix}OpenEnded_mscoco_val2014_questions.json --annotations {prefix}mscoco_val2014_annotations.json, or --data with their folder; "
        + "--images with the pictures";

    private static string FilesOf(Benchmark benchmark) => benchmark is IfEvalBenchmark
        ? "--data input_data.jsonl"
        : "--data with its table: VLMEvalKit's .tsv, or rows of Hugging Face's data set (.parquet, .jsonl, .json); a file or a folder";

    private static PredictionForm FormOf(Benchmark benchmark) => benchmark is IfEvalBenchmark ? new PromptPredictions() : NamedPredictions.Plain;

    private static BenchmarkEntry Find(string name) => All.FirstOrDefault(entry => entry.Benchmark.Name == name)
        ?? throw new ConfigException($"there is no benchmark {name}{Nearest(name)}; `fovea evaluate` alone lists all");

    private static string Nearest(string name) =>
        NearestKey.To(name, All.Select(entry => entry.Benchmark.Name).Append(Custom)) is { } near ? $" (did you mean {near}?)" : string.Empty;
}
