using Fovea.Data.Objects;

namespace Fovea.Data.Datasets;

/// <summary>A message as its row has it: <c>&lt;image&gt;</c> stands in the text where an image goes.</summary>
internal sealed record DraftMessage(Role Role, string Text)
{
    /// <summary>Tools that an answer calls, behind its text.</summary>
    internal IReadOnlyList<ToolCall> Calls { get; init; } = [];

    /// <summary>Which call a tool's result answers; null where the row does not say it.</summary>
    internal string? CallId { get; init; }

    /// <summary>See <see cref="Message.Trained"/>.</summary>
    internal bool? Trained { get; init; }

    /// <summary>See <see cref="Message.Weight"/>.</summary>
    internal double? Weight { get; init; }

    /// <summary>The conversation of a row.</summary>
    /// <param name="system">The system prompt; null where the row brings none. It is taken literally.</param>
    /// <param name="drafts">With as many places for images in all as there are images, and for objects as there are objects.</param>
    /// <param name="objects">The row's objects; null where marks for them are text.</param>
    /// <param name="tools">See <see cref="Conversation.Tools"/>.</param>
    internal static Conversation Finish(
        string? system, List<DraftMessage> drafts, List<MediaSource> images, RowObjects? objects, string? tools, ConversationOrigin origin)
    {
        var messages = new List<Message>(drafts.Count + 1);
        if (system is not null)
        {
            messages.Add(Message.System(system));
        }

        var (image, name, place) = (0, 0, 0);
        foreach (var draft in drafts)
        {
            var parts = Placeholders.Split(draft.Text, Marks(objects), Next);
            messages.Add(new Message(draft.Role, draft.Role == Role.Tool ? Result(parts, draft.CallId) : [.. parts, .. draft.Calls])
            {
                Trained = draft.Trained,
                Weight = draft.Weight,
            });
        }

        return new Conversation(messages) { Origin = origin, Tools = tools };

        Part Next(string mark) => mark switch
        {
            RowObjects.NameMark => objects!.Names[name++],
            RowObjects.PlaceMark => objects!.Places[place++],
            _ => new Image(images[image++]),
        };
    }

    /// <summary>What a tool gave back: text first, if there is any, and images.</summary>
    private static Part[] Result(IReadOnlyList<Part> parts, string? id) =>
        parts.Count > 0 && parts[0] is Text text ? [new ToolResult(text.Value, id), .. parts.Skip(1)] : [new ToolResult(string.Empty, id), .. parts];

    private static string[] Marks(RowObjects? objects) =>
        objects is null ? [Placeholders.Image] : [Placeholders.Image, RowObjects.NameMark, RowObjects.PlaceMark];
}
