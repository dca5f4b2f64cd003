using Fovea.Data.Datasets;

namespace Fovea.Data.Templates;

/// <summary>A conversation as chat templates write it: perhaps a system prompt, then questions and answers in turns, made of text and images.</summary>
/// <param name="System">The system prompt; null where the conversation brings none.</param>
/// <param name="Turns">Each question with its answer.</param>
/// <param name="Open">The last question, where no answer follows it.</param>
internal sealed record Exchanges(string? System, IReadOnlyList<Exchange> Turns, Message? Open)
{
    /// <summary>For training: the last message is an answer.</summary>
    /// <exception cref="BadSampleException">The conversation holds what no template writes; names the message.</exception>
    public static Exchanges Of(Conversation conversation)
    {
        var exchanges = Read(conversation, reason => BadSampleException.Of(conversation, reason));
        return exchanges.Open is null ? exchanges : throw BadSampleException.Of(conversation, "ends with a question: the last message must be an answer");
    }

    /// <summary>For generation: the last message is a question.</summary>
    /// <exception cref="ConfigException">The conversation holds what no template writes; names the message.</exception>
    public static Exchanges OfPrompt(Conversation conversation)
    {
        var exchanges = Read(conversation, reason => new ConfigException($"the conversation cannot be answered: {reason}"));
        return exchanges.Open is not null ? exchanges : throw new ConfigException("the conversation cannot be answered: it does not end with a question");
    }

    private static Exchanges Read(Conversation conversation, Func<string, Exception> bad)
    {
        string? system = null;
        Message? question = null;
        var turns = new List<Exchange>();
        for (var i = 0; i < conversation.Messages.Count; i++)
        {
            var message = conversation.Messages[i];
            foreach (var part in message.Parts)
            {
                if (part is not (Text or Image))
                {
                    throw bad($"message {i + 1} holds {NameOf(part)}, which is not supported");
                }
            }

            switch (message.Role)
            {
                case Role.System when i == 0 && !message.Parts.Any(part => part is Image):
                    system = Placeholders.Join(message);
                    break;
                case Role.User when question is null:
                    question = message;
                    break;
                case Role.Assistant when question is not null:
                    turns.Add(new Exchange(question, message));
                    question = null;
                    break;
                default:
                    throw bad($"message {i + 1} is by the {message.Role.ToString().ToLowerInvariant()} where the {(question is null ? "user" : "assistant")} "
                        + "must speak (questions and answers take turns)");
            }
        }

        return turns.Count == 0 && question is null ? throw bad("has no messages") : new Exchanges(system, turns, question);
    }

    private static string NameOf(Part part) => part switch
    {
        Video => "a video",
        ToolCall => "a tool call",
        ToolResult => "the result of a tool call",
        _ => part.GetType().Name,
    };
}
