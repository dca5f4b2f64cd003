namespace Fovea;

/// <summary>How likely the model took a token to be.</summary>
/// <param name="Id">The token.</param>
/// <param name="Logprob">Natural logarithm of its probability, by the model's logits alone: no penalty, temperature or constraint has a part in it.</param>
public sealed record TokenLogprob(int Id, double Logprob)
{
    /// <summary>The most likely tokens of its place, most likely first; as many as <see cref="GenerationOptions.TopLogprobs"/> asked for.</summary>
    public IReadOnlyList<TokenLogprob> Top { get; init; } = [];
}
