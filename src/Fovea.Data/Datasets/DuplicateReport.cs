namespace Fovea.Data.Datasets;

/// <summary>Rows that have the same conversation and images, by content, as one before them.</summary>
/// <param name="InDataset">Training rows that repeat one of their own dataset.</param>
/// <param name="InOthers">Training rows that repeat one of another dataset, and none of their own.</param>
/// <param name="HeldOut">Held-out rows that are trained on as well.</param>
internal sealed record DuplicateReport(int InDataset, int InOthers, int HeldOut)
{
    /// <summary>The first pairs of <see cref="InDataset"/>, in words: the row and the one that it repeats.</summary>
    public IReadOnlyList<string> Within { get; init; } = [];

    /// <summary>The first pairs of <see cref="InOthers"/>.</summary>
    public IReadOnlyList<string> Across { get; init; } = [];

    /// <summary>The first pairs of <see cref="HeldOut"/>.</summary>
    public IReadOnlyList<string> Leaked { get; init; } = [];
}
