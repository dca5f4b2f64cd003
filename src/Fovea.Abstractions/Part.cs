namespace Fovea;

/// <summary>
/// A piece of a <see cref="Message"/>: <see cref="Text"/>, <see cref="Image"/>, <see cref="Video"/>, <see cref="ObjectName"/>, <see cref="ObjectBox"/>,
/// <see cref="ObjectPoint"/>, <see cref="ToolCall"/> or <see cref="ToolResult"/>. There are no others.
/// </summary>
public abstract record Part
{
    private protected Part()
    {
    }

    /// <summary>The text as a part.</summary>
    /// <param name="text">Any length; may be empty.</param>
    public static implicit operator Part(string text) => new Text(text);
}
