namespace Fovea.Nn.FourBit;

/// <summary>A base model whose frozen linears are kept in 4 bits.</summary>
/// <param name="Type">Which 16 numbers.</param>
/// <param name="DoubleQuantization">Keeps their scales as bytes: 4.13 bits a weight instead of 4.5.</param>
internal sealed record FourBitOptions(FourBitType Type, bool DoubleQuantization)
{
    /// <summary>Modules that stay in 16 bits, by Transformers' rule; null leaves out whatever is not the language model.</summary>
    public IReadOnlyList<string>? Skipped { get; init; }
}
