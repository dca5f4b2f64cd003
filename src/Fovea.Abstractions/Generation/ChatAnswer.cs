namespace Fovea;

/// <summary>One answer of a conversation, as text and as it was generated.</summary>
/// <param name="Text">The answer, without the tokens that end it.</param>
/// <param name="Generation">Its tokens, why it ended, and how long it took.</param>
public sealed record ChatAnswer(string Text, GenerationResult Generation)
{
    /// <summary>The text.</summary>
    public override string ToString() => Text;
}
