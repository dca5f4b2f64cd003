namespace Fovea;

/// <summary>A held-out conversation and the model's answer to it.</summary>
/// <param name="Row">The conversation; its last message is the expected answer.</param>
/// <param name="Answer">The model's answer to the messages before that.</param>
public sealed record AnsweredRow(Conversation Row, string Answer)
{
    /// <summary>The text of the expected answer.</summary>
    public string Expected => string.Concat(Row.Messages[^1].Parts.OfType<Text>().Select(text => text.Value));
}
