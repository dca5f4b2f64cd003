using Fovea.Data.Objects;

namespace Fovea.Data.Datasets;

/// <summary>A message as its row has it: <c>&lt;image&gt;</c> stands in the text where an image goes.</summary>
internal sealed record DraftMessage(Role Role, string Text)
{
    /// <summary>The conversation of a row.</summary>
    /// <param name="system">The system prompt; null where the row brings none. It is taken literally.</param>
    /// <param name="drafts">With as many places for images in all as there are images, and for objects as there are objects.</param>
    /// <param name="objects">The row's objects; null where marks for them are text.</param>
    internal static Conversation Finish(
        string? system, List<DraftMessage> drafts, List<MediaSource> images, RowObjects? objects, ConversationOrigin origin)
    {
        var messages = new List<Message>(drafts.Count + 1);
        if (system is not null)
        {
            messages.Add(Message.System(system));
        }

        var (image, name, place) = (0, 0, 0);
        foreach (var (role, text) in drafts)
        {
            messages.Add(new Message(role, Placeholders.Split(text, Marks(objects), Next)));
        }

        return new Conversation(messages) { Origin = origin };

        Part Next(string mark) => mark switch
        {
            RowObjects.NameMark => objects!.Names[name++],
            RowObjects.PlaceMark => objects!.Places[place++],
            _ => new Image(images[image++]),
        };
    }

    private static string[] Marks(RowObjects? objects) =>
        objects is null ? [Placeholders.Image] : [Placeholders.Image, RowObjects.NameMark, RowObjects.PlaceMark];
}
