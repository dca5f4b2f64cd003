using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;

namespace Fovea.Extensions.AI;

/// <summary>A <see cref="ModelServer"/> as Microsoft.Extensions.AI's chat client. It keeps nothing between calls and frees nothing.</summary>
internal sealed class FoveaChatClient : IChatClient
{
    private readonly ModelServer server;
    private readonly string? adapter;
    private readonly ChatClientMetadata metadata;

    public FoveaChatClient(ModelServer server, string? adapter)
    {
        if (adapter is not null && !server.Adapters.Contains(adapter))
        {
            throw new ConfigException($"there is no adapter {adapter}; {ChatRequest.Known(server)}");
        }

        (this.server, this.adapter) = (server, adapter);
        metadata = new ChatClientMetadata("fovea", defaultModelId: adapter ?? server.Name);
    }

    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        var request = Request(messages, options);
        var answer = (await server.CompleteAsync(request.Served, cancellationToken).ConfigureAwait(false))[0];
        var reader = new AnswerReader(request.Tools, request.OneCall);
        List<AIContent> contents = [.. reader.Read(answer.Text), .. reader.End()];
        var id = NewId();
        return new ChatResponse(new ChatMessage(ChatRole.Assistant, contents) { MessageId = id })
        {
            ResponseId = id,
            ModelId = request.ModelId,
            CreatedAt = DateTimeOffset.UtcNow,
            FinishReason = Reason(answer.Reason, reader),
            Usage = Usage(answer.Usage),
            RawRepresentation = answer,
        };
    }

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var request = Request(messages, options);
        var reader = new AnswerReader(request.Tools, request.OneCall);
        var (id, started) = (NewId(), DateTimeOffset.UtcNow);
        await foreach (var piece in server.AnswerAsync(request.Served, cancellationToken).ConfigureAwait(false))
        {
            List<AIContent> contents = [.. reader.Read(piece.Text)];
            if (piece.Reason is not null)
            {
                contents.AddRange(reader.End());
                contents.Add(new UsageContent(Usage(piece.Usage!)));
            }

            if (contents.Count > 0)
            {
                yield return new ChatResponseUpdate(ChatRole.Assistant, contents)
                {
                    ResponseId = id,
                    MessageId = id,
                    ModelId = request.ModelId,
                    CreatedAt = started,
                    FinishReason = piece.Reason is { } reason ? Reason(reason, reader) : null,
                    RawRepresentation = piece,
                };
            }
        }
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(ChatClientMetadata) ? metadata
            : serviceType == typeof(ModelServer) ? server
            : serviceType == typeof(VisionModel) ? server.Model
            : serviceType.IsInstanceOfType(this) ? this : null;
    }

    public void Dispose()
    {
    }

    private ChatRequest Request(IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return ChatRequest.Of(server, adapter, this, messages, options);
    }

    private static string NewId() => $"chat-{Guid.NewGuid():n}";

    private static ChatFinishReason Reason(StopReason reason, AnswerReader reader) =>
        reader.Calls > 0 ? ChatFinishReason.ToolCalls : reason == StopReason.Length ? ChatFinishReason.Length : ChatFinishReason.Stop;

    private static UsageDetails Usage(ServedUsage usage) => new()
    {
        InputTokenCount = usage.PromptTokens,
        OutputTokenCount = usage.CompletionTokens,
        TotalTokenCount = usage.PromptTokens + usage.CompletionTokens,
        CachedInputTokenCount = usage.CachedTokens,
    };
}
