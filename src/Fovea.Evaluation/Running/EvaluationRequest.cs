namespace Fovea.Evaluation.Running;

/// <summary>What is to be evaluated, and where the result goes.</summary>
internal sealed record EvaluationRequest
{
    public required BenchmarkEntry Entry { get; init; }

    public required BenchmarkInput Input { get; init; }

    /// <summary>Only so many items, the first of the files; null for all.</summary>
    public int? Limit { get; init; }

    /// <summary>Answers that were made elsewhere; null: a model is asked.</summary>
    public string? Predictions { get; init; }

    /// <summary>Score those items that have answers.</summary>
    public bool AllowMissing { get; init; }

    /// <summary>Folder for answers, predictions, results and the report; null for none.</summary>
    public string? Output { get; init; }

    /// <summary>A file for the result as JSON; null for none.</summary>
    public string? Json { get; init; }
}
