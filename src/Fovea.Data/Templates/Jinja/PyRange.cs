namespace Fovea.Data.Templates.Jinja;

/// <summary>Whole numbers at equal distances.</summary>
internal sealed record PyRange(long Start, long Stop, long Step, int Count)
{
    /// <summary>The number at a place, also behind the last.</summary>
    public long At(long index) => Start + (Step * index);

    public IReadOnlyList<object?> Items() => [.. Enumerable.Range(0, Count).Select(i => (object?)At(i))];
}
