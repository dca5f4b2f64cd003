namespace Fovea.Generation;

/// <summary>A question among many.</summary>
/// <param name="Asked">Perhaps a system message, earlier turns, and the open question.</param>
/// <param name="Options">How to choose tokens and when to stop.</param>
internal sealed record AnswerRequest(Conversation Asked, GenerationOptions Options)
{
    /// <summary>The caller's own mark, for instance the number of a row.</summary>
    public object? Tag { get; init; }
}
