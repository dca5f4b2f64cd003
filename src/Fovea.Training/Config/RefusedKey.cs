namespace Fovea.Training.Config;

/// <summary>A key that Fovea understands and declines.</summary>
/// <param name="Reason">Why, and what to do instead.</param>
/// <param name="Harmless">Values, beside null and "off", that ask for nothing special and pass.</param>
internal sealed record RefusedKey(string Reason, params string[] Harmless)
{
    /// <summary>A value that passes without effect, and why.</summary>
    public (string Value, string Reason)? Ignored { get; init; }

    public bool Refuses(ConfigNode value) =>
        !value.IsOff && !Ignores(value) && !(value is ConfigNode.Scalar { Text: { } text } && Harmless.Contains(text.Trim(), StringComparer.OrdinalIgnoreCase));

    public bool Ignores(ConfigNode value) => value is ConfigNode.Scalar { Text: { } text } && text.Trim() == Ignored?.Value;
}
