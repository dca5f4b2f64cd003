namespace Fovea;

/// <summary>Text within a message. Adjacent text parts are joined without a separator.</summary>
/// <param name="Value">Any length; may be empty. Taken literally: <c>&lt;image&gt;</c> in it does not stand for an image.</param>
public sealed record Text(string Value) : Part
{
    /// <summary>The text itself.</summary>
    public override string ToString() => Value;
}
