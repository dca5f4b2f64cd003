namespace Fovea;

/// <summary>
/// A base model whose frozen linear layers are kept in 4 bits (QLoRA). A setting that is null keeps the configuration's value or the default. A model folder
/// that is in bitsandbytes' 4 bits already is used as it is, whatever these say.
/// </summary>
public sealed class QuantizationSettings
{
    /// <summary>4 rounds the layers when the model is loaded; default: they stay in 16 bits.</summary>
    [Key("quantization_bit")]
    public int? Bits { get; set; }

    /// <summary>Which numbers 4 bits stand for; default <see cref="FourBitType.Nf4"/>.</summary>
    [Key("quantization_type")]
    public FourBitType? Type { get; set; }

    /// <summary>Scales as bytes, 4.13 bits a weight instead of 4.5; default true.</summary>
    [Key("double_quantization")]
    public bool? DoubleQuantization { get; set; }

    /// <summary>
    /// Modules that stay in 16 bits: regular expressions for the beginning of a name, or its end. Default: everything but the language model; <c>lm_head</c>
    /// alone rounds the vision side as well.
    /// </summary>
    [Key("llm_int8_skip_modules")]
    public IReadOnlyList<string>? SkipModules { get; set; }
}
