namespace Fovea;

/// <summary>
/// Messages in order: perhaps one by <see cref="Role.System"/>, then questions and answers in turns. A row of a data set becomes one, and so does a chat.
/// </summary>
/// <param name="Messages">The messages; for training, the last is an answer.</param>
public sealed record Conversation(IReadOnlyList<Message> Messages)
{
    /// <summary>The row that it was read from; null for one that was made otherwise.</summary>
    public ConversationOrigin? Origin { get; init; }

    /// <summary>Where all its pictures come from, in the order of the messages and their parts.</summary>
    public IReadOnlyList<MediaSource> Images =>
        [.. Messages.SelectMany(message => message.Parts).OfType<Image>().Select(image => image.Source)];
}
