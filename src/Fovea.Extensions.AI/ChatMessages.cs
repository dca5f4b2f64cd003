using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Fovea.Extensions.AI;

/// <summary>Messages of Microsoft.Extensions.AI as a model reads them.</summary>
internal static class ChatMessages
{
    private static readonly IDictionary<string, object?> EmptyArguments = new Dictionary<string, object?>();

    /// <summary>The messages; instructions stand before the system messages at the beginning.</summary>
    /// <exception cref="ConfigException">A message holds what no model reads; says which.</exception>
    public static IReadOnlyList<Message> Read(IEnumerable<ChatMessage> messages, string? instructions)
    {
        var system = new List<string>();
        if (!string.IsNullOrEmpty(instructions))
        {
            system.Add(instructions);
        }

        var read = new List<Message>();
        var number = 0;
        foreach (var message in messages)
        {
            number++;
            if (message.Role == ChatRole.System && read.Count == 0)
            {
                system.Add(message.Text);
            }
            else if (message.Role == ChatRole.Tool)
            {
                // Each result is a turn of its own; templates put them together.
                read.AddRange(Parts(message, number).Select(part => new Message(Role.Tool, [part])));
            }
            else if (message.Role == ChatRole.User && read is [.., { Role: Role.User } before])
            {
                read[^1] = before with { Parts = [.. before.Parts, "\n", .. Parts(message, number)] };
            }
            else
            {
                read.Add(new Message(RoleOf(message, number), [.. Parts(message, number)]));
            }
        }

        return system.Count == 0 ? read : [Message.System(string.Join('\n', system)), .. read];
    }

    private static Role RoleOf(ChatMessage message, int number) =>
        message.Role == ChatRole.User ? Role.User
        : message.Role == ChatRole.Assistant ? Role.Assistant
        : message.Role == ChatRole.System ? Role.System
        : throw new ConfigException($"message {number} is by {message.Role}, which no chat template knows");

    private static IEnumerable<Part> Parts(ChatMessage message, int number)
    {
        foreach (var content in message.Contents)
        {
            var part = content switch
            {
                TextContent text => new Text(text.Text),
                DataContent data when data.HasTopLevelMediaType("image") => Image.FromBytes(data.Data.ToArray(), data.Name ?? $"the image of message {number}"),
                FunctionCallContent call => new ToolCall(call.Name, JsonTypes.Write(call.Arguments ?? EmptyArguments), call.CallId),
                FunctionResultContent result => new ToolResult(Result(result), result.CallId),
                // A model is not shown its earlier thoughts, and usage is none of its business.
                TextReasoningContent or UsageContent => (Part?)null,
                UriContent uri => throw new ConfigException(
                    $"message {number} refers to {uri.Uri}, and nothing is fetched: bring the bytes (DataContent, for a file DataContent.LoadFromAsync)"),
                DataContent data => throw new ConfigException($"message {number} holds {data.MediaType}; models read text and images"),
                _ => throw new ConfigException($"message {number} holds {content.GetType().Name}, which models do not read"),
            };
            if (part is not null)
            {
                yield return part;
            }
        }
    }

    private static string Result(FunctionResultContent result) => result switch
    {
        { Exception: { } exception } => $"Error: {exception.Message}",
        { Result: string text } => text,
        { Result: JsonElement { ValueKind: JsonValueKind.String } text } => text.GetString()!,
        { Result: TextContent text } => text.Text,
        _ => JsonTypes.Write(result.Result),
    };
}
