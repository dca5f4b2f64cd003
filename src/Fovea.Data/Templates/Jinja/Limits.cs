namespace Fovea.Data.Templates.Jinja;

/// <summary>What one rendering may use at most: a template is a file that somebody wrote, and it must neither hang nor break the process.</summary>
internal sealed record Limits
{
    /// <summary>Expressions and statements within each other, macros that call macros included.</summary>
    public int Depth { get; init; } = 400;

    /// <summary>Characters of the longest text.</summary>
    public int Characters { get; init; } = 1 << 24;

    /// <summary>Items of the longest list, and of a range.</summary>
    public int Items { get; init; } = 100_000;

    /// <summary>Expressions and statements that are carried out; work on long texts and lists counts as many.</summary>
    public long Steps { get; init; } = 20_000_000;
}
