namespace Fovea.Evaluation.Running;

/// <summary>What is to be evaluated, and where the result goes.</summary>
internal sealed record EvaluationRequest
{
    public required BenchmarkEntry Entry { get; init; }

    public required BenchmarkInput Input { get; init; }

    /// <summary>Only so many items, the first of the files; null for all.</summary>
    public int? Limit { get; init; }

    /// <summary>Longest answer in tokens; null: the benchmark's.</summary>
    public int? MaxNewTokens { get; init; }

    /// <summary>Answers that were made elsewhere; null: a model is asked.</summary>
    public string? Predictions { get; init; }

    /// <summary>Score those items that have answers.</summary>
    public bool AllowMissing { get; init; }

    /// <summary>Folder for answers, predictions, results and the report; null for none.</summary>
    public string? Output { get; init; }

    /// <summary>A file for the result as JSON; null for none.</summary>
    public string? Json { get; init; }

    /// <param name="name">The benchmark's, or <c>custom</c>.</param>
    /// <param name="data">Its file or folder, where it has one.</param>
    /// <param name="options">How to ask it.</param>
    /// <exception cref="ConfigException">There is no such benchmark or metric, or a number is out of range.</exception>
    public static EvaluationRequest Of(string name, string? data, BenchmarkOptions options) => new()
    {
        Entry = Benchmarks.Find(name, options.Metric, options.MetricSettings),
        Input = new BenchmarkInput
        {
            Data = Path(data),
            Questions = Path(options.Questions),
            Annotations = Path(options.Annotations),
            Images = Path(options.Images),
            Prompt = options.Prompt,
        },
        Limit = Positive(options.Limit, nameof(options.Limit)),
        MaxNewTokens = Positive(options.MaxNewTokens, nameof(options.MaxNewTokens)),
        Output = Path(options.Output),
    };

    private static string? Path(string? given) => given is null ? null : UserPath.Expand(given);

    private static int? Positive(int? number, string name) => number < 1 ? throw new ConfigException($"{name} is {number}, must be at least 1") : number;
}
