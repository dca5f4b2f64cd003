namespace Fovea;

/// <summary>A prompt, perhaps with the answer that was asked for, is longer than the model or its cache takes.</summary>
public sealed class ContextLengthException : FoveaException
{
    internal ContextLengthException(string message, int promptTokens, int maxTokens)
        : base(message) => (PromptTokens, MaxTokens) = (promptTokens, maxTokens);

    /// <summary>Tokens of the prompt, those of images included.</summary>
    public int PromptTokens { get; }

    /// <summary>Most tokens of prompt and answer together.</summary>
    public int MaxTokens { get; }
}
