namespace Fovea;

/// <summary>A token of an answer.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Text">Its own text; U+FFFD stands for bytes that are no whole character.</param>
/// <param name="Logprob">Natural logarithm of its probability; null unless <see cref="GenerationOptions.Logprobs"/> asked for it.</param>
public sealed record ServedToken(int Id, string Text, double? Logprob)
{
    /// <summary>The bytes that it adds to the text, in UTF-8; empty unless log probabilities were asked for.</summary>
    public ReadOnlyMemory<byte> Bytes { get; init; }

    /// <summary>The most likely tokens of its place, most likely first; as many as <see cref="GenerationOptions.TopLogprobs"/> asked for.</summary>
    public IReadOnlyList<ServedToken> Top { get; init; } = [];
}
