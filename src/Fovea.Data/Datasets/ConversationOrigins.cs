namespace Fovea.Data.Datasets;

/// <summary>Where conversations come from, for messages.</summary>
internal static class ConversationOrigins
{
    private static readonly ConversationOrigin None = new("(made in code)", 1);

    /// <summary>The row it was read from; a name that says so for one that was made otherwise.</summary>
    internal static ConversationOrigin OriginOrNone(this Conversation conversation) => conversation.Origin ?? None;
}
