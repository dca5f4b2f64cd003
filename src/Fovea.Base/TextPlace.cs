namespace Fovea;

/// <summary>Where something stands in a text.</summary>
/// <param name="Line">From 1.</param>
/// <param name="Column">In bytes, from 1.</param>
internal readonly record struct TextPlace(long Line, long Column)
{
    /// <summary>Where a text begins.</summary>
    public static TextPlace Start { get; } = new(1, 1);

    /// <summary>The place of a byte in a text that begins here.</summary>
    public TextPlace At(ReadOnlySpan<byte> text, int at)
    {
        var before = text[..at];
        var lines = before.Count((byte)'\n');
        return lines == 0 ? this with { Column = Column + at } : new(Line + lines, at - before.LastIndexOf((byte)'\n'));
    }
}
