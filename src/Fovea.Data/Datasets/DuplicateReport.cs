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

    /// <summary>All of it for a person, line by line, and whether a line is about held-out rows; none where no row is there twice.</summary>
    public IEnumerable<(string Line, bool IsLeak)> Lines =>
    [
        .. Told(HeldOut, "held-out rows are trained on as well, with the same text and images: what is measured on them says nothing", Leaked)
            .Select(line => (line, true)),
        .. Told(InDataset, "rows repeat one of their own dataset, text and images", Within).Select(line => (line, false)),
        .. Told(InOthers, "rows repeat one of another dataset, text and images", Across).Select(line => (line, false)),
    ];

    private static IEnumerable<string> Told(int count, string what, IReadOnlyList<string> first) => count == 0 ? [] :
    [
        $"{count:N0} {what}", .. first.Select(pair => $"  {pair}"), .. count > first.Count ? [$"  and {count - first.Count:N0} more"] : Array.Empty<string>(),
    ];
}
