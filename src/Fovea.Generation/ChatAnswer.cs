namespace Fovea.Generation;

/// <summary>One answer of a conversation, as text and as it was generated.</summary>
internal sealed record ChatAnswer(string Text, GenerationResult Generation);
