namespace Fovea;

/// <summary>How a benchmark is asked.</summary>
public sealed record BenchmarkOptions
{
    /// <summary>The official file of questions, where a benchmark has two files.</summary>
    public string? Questions { get; init; }

    /// <summary>The official file of expected answers, where a benchmark has one.</summary>
    public string? Annotations { get; init; }

    /// <summary>Folder of the images; null is beside the file that names them.</summary>
    public string? Images { get; init; }

    /// <summary>Replaces the recommended prompt; <c>{question}</c> stands for the question.</summary>
    public string? Prompt { get; init; }

    /// <summary>Ask only the first so many items, whose images alone must be there; at least 1. Null: all.</summary>
    public int? Limit { get; init; }

    /// <summary>Longest answer in tokens, at least 1; null: the benchmark's.</summary>
    public int? MaxNewTokens { get; init; }

    /// <summary>Folder for answers, results.json and report.html; a call that was cancelled goes on from there. Null: nothing is written.</summary>
    public string? Output { get; init; }

    /// <summary>Of the benchmark <c>custom</c>: the metric by its name, for instance <c>numeric</c>.</summary>
    public string? Metric { get; init; }

    /// <summary>Settings of <see cref="Metric"/>, each as <c>key=value</c>.</summary>
    public IReadOnlyList<string> MetricSettings { get; init; } = [];

    /// <summary>Told after each answer how many there are, and of how many; called on the model's thread.</summary>
    public Action<int, int>? Progress { get; init; }
}
