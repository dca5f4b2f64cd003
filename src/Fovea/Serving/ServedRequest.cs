namespace Fovea;

/// <summary>What a <see cref="ModelServer"/> is asked: the last question of a conversation, or to go on from a bare text or tokens.</summary>
public sealed record ServedRequest
{
    private ServedRequest(IReadOnlyList<Message>? messages, string? text, IReadOnlyList<int>? ids) => (Messages, Text, Ids) = (messages, text, ids);

    /// <summary>The conversation; null for a bare text or tokens.</summary>
    public IReadOnlyList<Message>? Messages { get; }

    /// <summary>The text that the model goes on from, without a chat template; null otherwise.</summary>
    public string? Text { get; }

    /// <summary>The tokens that the model goes on from; null otherwise.</summary>
    public IReadOnlyList<int>? Ids { get; }

    /// <summary>How to generate, adapter included; null uses <see cref="VisionModel.Generation"/>.</summary>
    public GenerationOptions? Options { get; init; }

    /// <summary>
    /// The tools that the model may call, a JSON list in OpenAI's form; null for none. Only a model that was loaded with its own chat template writes them
    /// (<c>Template = "chat_template"</c>), and calls of them come back as the text that the model writes.
    /// </summary>
    public string? Tools { get; init; }

    /// <summary>Sources of images of the conversation that are scaled down to 512 x 512 pixels: fewer tokens, less detail.</summary>
    public IReadOnlyCollection<MediaSource> LowDetail { get; init; } = [];

    /// <summary>
    /// Refuse the request if its prompt and an answer of <see cref="GenerationOptions.MaxNewTokens"/> are longer than <see cref="ModelServer.MaxTokens"/>;
    /// otherwise the answer ends there.
    /// </summary>
    public bool FitsWhole { get; init; }

    /// <summary>The last question of a conversation.</summary>
    /// <param name="messages">An optional system message, earlier questions with their answers, and an open question.</param>
    public static ServedRequest Of(IReadOnlyList<Message> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return new(messages, null, null);
    }

    /// <summary>A text to go on from, as it is: no chat template is put around it.</summary>
    /// <param name="text">May hold special tokens of the model.</param>
    public static ServedRequest OfText(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new(null, text, null);
    }

    /// <summary>Tokens to go on from.</summary>
    /// <param name="ids">At least one.</param>
    public static ServedRequest OfIds(IReadOnlyList<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return new(null, null, ids);
    }
}
