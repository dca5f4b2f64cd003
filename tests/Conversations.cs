using Fovea.Data.Datasets;

namespace Fovea.Tests;

/// <summary>Conversations as questions and answers with <c>&lt;image&gt;</c> where an image goes.</summary>
internal static class Conversations
{
    internal static Conversation Of(
        string dataset, int row, string? system, IEnumerable<(string User, string Assistant)> turns, params IEnumerable<MediaSource> images)
    {
        var next = new Queue<MediaSource>(images);
        var messages = new List<Message>();
        if (system is not null)
        {
            messages.Add(Message.System(system));
        }

        foreach (var (user, assistant) in turns)
        {
            messages.Add(new Message(Role.User, Placeholders.Split(user, next.Dequeue)));
            messages.Add(new Message(Role.Assistant, Placeholders.Split(assistant, next.Dequeue)));
        }

        return new Conversation(messages) { Origin = new ConversationOrigin(dataset, row) };
    }

    internal static string? System(this Conversation conversation) => conversation.Messages.FirstOrDefault(message => message.Role == Role.System) is { } system
        ? Placeholders.Join(system)
        : null;

    internal static IReadOnlyList<(string User, string Assistant)> Turns(this Conversation conversation) =>
    [
        .. conversation.Messages.Where(message => message.Role != Role.System).Select(Placeholders.Join).Chunk(2).Select(pair => (pair[0], pair[1])),
    ];
}
