using Fovea.Data.Objects;

namespace Fovea.Data.Datasets;

/// <summary>The outcome of a check: each dataset, every rejected row (the first 10,000 a dataset), and one sample as the model sees it.</summary>
internal sealed record DataReport(
    IReadOnlyList<DatasetReport> Datasets, IReadOnlyList<BadSample> Rejected, string? ExampleName, IReadOnlyList<ExampleTurn> Turns)
{
    /// <summary>The sample as one text.</summary>
    public IReadOnlyList<ExampleSpan> Example => [.. Turns.SelectMany(turn => turn.Text)];

    /// <summary>Images that were decoded in full.</summary>
    public required int Decoded { get; init; }

    /// <summary>Rows that are there more than once.</summary>
    public DuplicateReport Duplicates { get; init; } = new(0, 0, 0);

    /// <summary>Where the objects of the sample are, in pixels of their images and as the model reads it.</summary>
    public IReadOnlyList<WrittenPlace> Places { get; init; } = [];

    /// <summary>What is without effect: keys of entries, and columns that nothing reads; a line each.</summary>
    public required IReadOnlyList<string> Notices { get; init; }

    /// <summary>Rows that cannot be used, each counted once however often its dataset is named.</summary>
    public int RejectedRows => Datasets.DistinctBy(set => set.Name).Sum(set => set.Rejected);
}
