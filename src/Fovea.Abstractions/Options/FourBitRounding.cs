namespace Fovea;

/// <summary>How linear layers are rounded to bitsandbytes' 4 bits, when a model is loaded or written.</summary>
public sealed record FourBitRounding
{
    /// <summary>Which numbers 4 bits stand for; default <see cref="FourBitType.Nf4"/>.</summary>
    public FourBitType Type { get; init; } = FourBitType.Nf4;

    /// <summary>Scales as bytes, 4.13 bits a weight instead of 4.5; default true.</summary>
    public bool DoubleQuantization { get; init; } = true;

    /// <summary>
    /// Modules that stay in 16 bits: regular expressions for the beginning of a name, or its end. Empty (the default): everything but the language model;
    /// <c>lm_head</c> alone rounds the vision side as well.
    /// </summary>
    public IReadOnlyList<string> SkipModules { get; init; } = [];
}
