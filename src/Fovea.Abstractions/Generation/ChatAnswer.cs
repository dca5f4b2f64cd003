namespace Fovea;

/// <summary>One answer in a conversation: its text, and how it was generated.</summary>
/// <param name="Text">The answer, without the tokens that end it.</param>
/// <param name="Generation">Its tokens, why it ended, and how long it took.</param>
public sealed record ChatAnswer(string Text, GenerationResult Generation)
{
    /// <summary>The text.</summary>
    public override string ToString() => Text;
}
