namespace Fovea.Data.Datasets;

/// <summary>What was found in one dataset. Lengths are in tokens, image tokens included.</summary>
internal sealed record DatasetReport
{
    public required string Name { get; init; }

    public required bool ForEvaluation { get; init; }

    /// <summary>Rows looked at, after <c>max_samples</c>.</summary>
    public required int Rows { get; init; }

    /// <summary>Rows that can be trained on.</summary>
    public required int Samples { get; init; }

    public required long Tokens { get; init; }

    public required int MedianTokens { get; init; }

    /// <summary>95 of 100 samples are no longer than this.</summary>
    public required int P95Tokens { get; init; }

    public required int MaxTokens { get; init; }

    public required int Images { get; init; }

    public required long TrainedTokens { get; init; }

    /// <summary>Samples that lost something to the cutoff.</summary>
    public required int Truncated { get; init; }

    /// <summary>Samples in which nothing is trained once truncated.</summary>
    public required int Untrained { get; init; }

    /// <summary>Rows rejected only because they do not fit the cutoff.</summary>
    public required int TooLong { get; init; }

    /// <summary>Rows rejected for any reason.</summary>
    public required int Rejected { get; init; }
}
