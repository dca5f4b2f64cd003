namespace Fovea.Data.Tokenizers;

/// <summary>A tokenizer's regular expression does not come to an end on some text.</summary>
internal sealed class PatternTimeoutException(string message, Exception inner) : FoveaException(message, inner);
