namespace Fovea;

/// <summary>Text within a message. Parts of text that follow one another are read without anything between them.</summary>
/// <param name="Value">Of any length; may be empty. It is taken literally: <c>&lt;image&gt;</c> in it is no image.</param>
public sealed record Text(string Value) : Part
{
    /// <summary>The text itself.</summary>
    public override string ToString() => Value;
}
