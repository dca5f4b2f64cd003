namespace Fovea.Data.Tokenizers;

/// <summary>A token that a model is to learn beside those of its tokenizer.</summary>
/// <param name="Special">Left out when decoding skips special tokens, and never split or normalised.</param>
/// <param name="Description">What it means, in the words of the tokenizer it is added to; null where nobody says.</param>
internal sealed record NewToken(string Content, bool Special, string? Description = null);
