namespace Fovea;

/// <summary>
/// Messages in order: optionally one by <see cref="Role.System"/>, then alternating questions and answers. A row of a dataset becomes one, and so does a chat.
/// </summary>
/// <param name="Messages">The messages; for training, the last is an answer.</param>
public sealed record Conversation(IReadOnlyList<Message> Messages)
{
    /// <summary>The row that it was read from; null if it does not come from a dataset.</summary>
    public ConversationOrigin? Origin { get; init; }

    /// <summary>The tools that the model may call, a JSON list in OpenAI's form as text; null for none. Only a model's own chat template writes them.</summary>
    public string? Tools { get; init; }

    /// <summary>A factor on the loss of its tokens in training; above 0.</summary>
    public double Weight { get; init; } = 1;

    /// <summary>The sources of all its images, in the order of the messages and their parts.</summary>
    public IReadOnlyList<MediaSource> Images =>
        [.. Messages.SelectMany(message => message.Parts).OfType<Image>().Select(image => image.Source)];
}
