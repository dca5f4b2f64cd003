namespace Fovea.Generation;

/// <summary>One answer of a conversation, as text and as it was generated.</summary>
public sealed record ChatAnswer(string Text, GenerationResult Generation);
