using Fovea.Data.Datasets;

namespace Fovea.Data.Templates;

/// <summary>A conversation as chat templates write it: perhaps a system prompt, then questions and answers in turns, made of text and images.</summary>
/// <param name="System">The system prompt; null where the conversation brings none.</param>
/// <param name="Turns">Each question with its answer.</param>
/// <param name="Open">The last question, or the last results of tools, where no answer follows; else empty.</param>
internal sealed record Exchanges(string? System, IReadOnlyList<Exchange> Turns, IReadOnlyList<Message> Open)
{
    /// <summary>What to do where a template does not write tools.</summary>
    public const string Remedy = "set template: chat_template, which renders the model's own template with them";

    /// <summary>For training: the last message is an answer.</summary>
    /// <param name="tools">Whether the template writes tools, their calls and results.</param>
    /// <exception cref="BadSampleException">The conversation holds what the template does not write; names the message.</exception>
    public static Exchanges Of(Conversation conversation, bool tools = false)
    {
        var exchanges = Read(conversation, tools, reason => BadSampleException.Of(conversation, reason));
        return exchanges.Open.Count == 0 ? exchanges
            : throw BadSampleException.Of(conversation, $"ends with {NameOf(exchanges.Open[^1])}: the last message must be an answer");
    }

    /// <summary>For generation: the last message is a question.</summary>
    /// <param name="tools">Whether the template writes tools, their calls and results.</param>
    /// <exception cref="ConfigException">The conversation holds what the template does not write; names the message.</exception>
    public static Exchanges OfPrompt(Conversation conversation, bool tools = false)
    {
        var exchanges = Read(conversation, tools, reason => new ConfigException($"the conversation cannot be answered: {reason}"));
        return exchanges.Open.Count > 0 ? exchanges : throw new ConfigException("the conversation cannot be answered: it does not end with a question");
    }

    private static Exchanges Read(Conversation conversation, bool tools, Func<string, Exception> bad)
    {
        string? system = null;
        var asked = new List<Message>();
        var turns = new List<Exchange>();
        if (conversation.Tools is not null && !tools)
        {
            throw bad($"has tools, which the template does not write: {Remedy}");
        }

        for (var i = 0; i < conversation.Messages.Count; i++)
        {
            var message = conversation.Messages[i];
            foreach (var part in message.Parts)
            {
                if (!(part is Text or Image || (tools && part is ToolCall && message.Role == Role.Assistant)
                    || (tools && part is ToolResult && message.Role == Role.Tool)))
                {
                    var remedy = part is ToolCall or ToolResult && !tools ? $": {Remedy}" : string.Empty;
                    throw bad($"message {i + 1} holds {NameOf(part)}, which is not supported{(tools ? " there" : remedy)}");
                }
            }

            switch (message.Role)
            {
                case Role.System when i == 0 && !message.Parts.Any(part => part is Image):
                    system = Placeholders.Join(message);
                    break;
                case Role.User when asked.Count == 0:
                case Role.Tool when tools && turns.Count > 0 && (asked.Count == 0 || asked[0].Role == Role.Tool):
                    asked.Add(message);
                    break;
                case Role.Assistant when asked.Count > 0:
                    turns.Add(new Exchange(asked, message));
                    asked = [];
                    break;
                default:
                    throw bad($"message {i + 1} is by the {message.Role.ToString().ToLowerInvariant()} where the {(asked.Count == 0 ? "user" : "assistant")} "
                        + "must speak (questions and answers take turns)");
            }
        }

        return turns.Count == 0 && asked.Count == 0 ? throw bad("has no messages") : new Exchanges(system, turns, asked);
    }

    private static string NameOf(Message message) => message.Role == Role.Tool ? "the result of a tool call" : "a question";

    private static string NameOf(Part part) => part switch
    {
        Video => "a video",
        ToolCall => "a tool call",
        ToolResult => "the result of a tool call",
        _ => part.GetType().Name,
    };
}
