namespace Fovea.Data.Datasets;

/// <summary>
/// One dataset as found: its name, its files in reading order, and how its rows are to be read: <paramref name="Shape"/> is what
/// <c>dataset_info.json</c> says; null where each row says it itself.
/// </summary>
internal sealed record DatasetSpec(string Name, IReadOnlyList<string> Files, RowShape? Shape)
{
    /// <summary>Keys of its entry that are without effect, each with the reason.</summary>
    public IReadOnlyList<string> Notices { get; init; } = [];
}
