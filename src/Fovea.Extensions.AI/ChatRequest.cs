using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace Fovea.Extensions.AI;

/// <summary>What a chat client is asked, as a <see cref="ModelServer"/> takes it.</summary>
/// <param name="Served">The request.</param>
/// <param name="ModelId">Who answers: the model's name, or the adapter's.</param>
/// <param name="Tools">The tools that the answer may call, by their names.</param>
/// <param name="OneCall">Whether an answer's calls after its first are left out.</param>
internal sealed record ChatRequest(ServedRequest Served, string ModelId, IReadOnlyDictionary<string, AIFunctionDeclaration> Tools, bool OneCall)
{
    /// <exception cref="ConfigException">Something is asked that the model does not take.</exception>
    public static ChatRequest Of(ModelServer server, string? adapter, IChatClient client, IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        Refuse(options?.ContinuationToken is not null, "a continuation token");
        Refuse(options?.Reasoning is not null, "options for reasoning (whether a model thinks is set when it is loaded: VisionModelOptions.EnableThinking)");
        Refuse(options?.ToolMode is RequiredChatToolMode, "a tool mode that requires a call (the model decides)");
        var tools = new Dictionary<string, AIFunctionDeclaration>(StringComparer.Ordinal);
        foreach (var tool in options?.ToolMode is NoneChatToolMode ? [] : options?.Tools ?? [])
        {
            Refuse(tool is not AIFunctionDeclaration, $"the tool {tool.Name}, which is no function");
            tools[tool.Name] = (AIFunctionDeclaration)tool;
        }

        var (model, chosen) = Answering(server, options?.ModelId ?? adapter);
        var request = ServedRequest.Of(ChatMessages.Read(messages, options?.Instructions)) with
        {
            Options = Generation(server, options?.RawRepresentationFactory?.Invoke(client), options) with { Adapter = chosen, Count = 1 },
            Tools = tools.Count == 0 ? null : Write(tools.Values),
        };
        return new ChatRequest(request, model, tools, options?.AllowMultipleToolCalls == false);
    }

    /// <summary>The names that may be asked for, as a sentence's end.</summary>
    public static string Known(ModelServer server) =>
        $"the model is {server.Name}, {(server.Adapters.Count == 0 ? "and it has no adapters" : $"its adapters {string.Join(", ", server.Adapters)}")}";

    private static void Refuse(bool given, string what)
    {
        if (given)
        {
            throw new ConfigException($"the model does not take {what}");
        }
    }

    private static (string Model, string? Adapter) Answering(ModelServer server, string? asked) =>
        asked is null || asked == server.Name ? (server.Name, null)
        : server.Adapters.Contains(asked) ? (asked, asked)
        : throw new ConfigException($"there is no model {asked}; {Known(server)}");

    // What is not set stays as the model's generation_config.json, or the options that the caller brings, have it.
    private static GenerationOptions Generation(ModelServer server, object? own, ChatOptions? options)
    {
        var generation = own as GenerationOptions ?? server.Model.Generation;
        Refuse(own is not (null or GenerationOptions), $"a raw representation of type {own?.GetType().Name}; it must be GenerationOptions");
        if (options is null)
        {
            return generation;
        }

        if (options.Temperature is { } temperature)
        {
            generation = temperature == 0 ? generation with { DoSample = false } : generation with { DoSample = true, Temperature = temperature };
        }

        return generation with
        {
            MaxNewTokens = options.MaxOutputTokens ?? generation.MaxNewTokens,
            MinNewTokens = Math.Min(generation.MinNewTokens, options.MaxOutputTokens ?? int.MaxValue),
            TopP = options.TopP ?? generation.TopP,
            TopK = options.TopK ?? generation.TopK,
            FrequencyPenalty = options.FrequencyPenalty ?? generation.FrequencyPenalty,
            PresencePenalty = options.PresencePenalty ?? generation.PresencePenalty,
            Seed = options.Seed is { } seed ? unchecked((ulong)seed) : generation.Seed,
            StopStrings = options.StopSequences is { Count: > 0 } stops ? [.. generation.StopStrings, .. stops] : generation.StopStrings,
            Constraint = options.ResponseFormat switch
            {
                ChatResponseFormatJson { Schema: { } schema } => Constraint.JsonSchema(schema.GetRawText()),
                ChatResponseFormatJson => Constraint.JsonObject,
                ChatResponseFormatText => null,
                _ => generation.Constraint,
            },
        };
    }

    /// <summary>Tools in OpenAI's form, which chat templates read.</summary>
    private static string Write(IEnumerable<AIFunctionDeclaration> tools) => new JsonArray(
    [
        .. tools.Select(tool => new JsonObject
        {
            ["type"] = "function",
            ["function"] = new JsonObject
            {
                ["name"] = tool.Name,
                ["description"] = tool.Description,
                ["parameters"] = JsonSerializer.SerializeToNode(tool.JsonSchema, JsonTypes.Element),
            },
        }),
    ]).ToJsonString(JsonTypes.Plain);
}
