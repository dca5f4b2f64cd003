namespace Fovea.Evaluation;

/// <summary>Where a benchmark's questions are, and how to ask them.</summary>
internal sealed record BenchmarkInput
{
    /// <summary>A file, or a folder with the official files.</summary>
    public string? Data { get; init; }

    /// <summary>The official file of questions, where a benchmark has two.</summary>
    public string? Questions { get; init; }

    /// <summary>The official file of expected answers, where a benchmark has one.</summary>
    public string? Annotations { get; init; }

    /// <summary>Folder of images that the files name; null is beside the file.</summary>
    public string? Images { get; init; }

    /// <summary>Replaces the recommended prompt; <c>{question}</c> stands for the question.</summary>
    public string? Prompt { get; init; }

    /// <summary>Reads what scoring needs but no images, because the answers were made elsewhere.</summary>
    public bool ScoresOnly { get; init; }

    /// <summary>Only so many items are asked, the first ones: images of the others need not be there. Null: all are asked.</summary>
    public int? Limit { get; init; }

    /// <summary>Whether an item is asked, by its place among all, so that its images must be there.</summary>
    public bool Asks(int item) => !ScoresOnly && (Limit is not { } limit || item < limit);
}
