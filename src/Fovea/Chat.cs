using Fovea.Generation;

namespace Fovea;

/// <summary>
/// A multi-turn conversation with a <see cref="VisionModel"/>. Earlier turns stay in the prompt, and what the key/value cache still holds of them is not
/// recomputed. One question at a time; several conversations may share one model.
/// </summary>
public sealed class Chat
{
    private readonly VisionModel model;
    private readonly ChatSession session;

    internal Chat(VisionModel model, string? system)
    {
        this.model = model;
        session = new ChatSession(model.Loaded.Answerer, model.Loaded.Prompts) { System = system };
    }

    /// <summary>The system prompt; null is the default one. A change takes effect with the next question.</summary>
    public string? System
    {
        get => session.System;
        set => session.System = value;
    }

    /// <summary>The conversation so far: alternating questions and answers.</summary>
    public IReadOnlyList<Message> Messages => [.. session.Messages];

    /// <summary>Asks a question and waits for the whole answer. A question that fails leaves the conversation unchanged.</summary>
    /// <param name="question">Text and images in order; strings are text.</param>
    /// <exception cref="FoveaException">An image cannot be read, or the conversation exceeds the model's maximum sequence length.</exception>
    public Task<ChatAnswer> AskAsync(params Part[] question) => AskAsync(Message.User(question));

    /// <summary>Asks a question and waits for the whole answer. A question that fails leaves the conversation unchanged.</summary>
    /// <param name="question">A message of <see cref="Role.User"/>.</param>
    /// <param name="options">How to generate; null uses the model's defaults.</param>
    /// <param name="cancel">Ends the answer at its next token. The text so far is kept, and returned with <see cref="StopReason.Cancelled"/>.</param>
    /// <exception cref="FoveaException">An image cannot be read, or the conversation exceeds the model's maximum sequence length.</exception>
    public Task<ChatAnswer> AskAsync(Message question, GenerationOptions? options = null, CancellationToken cancel = default) =>
        Ask(question, options, onText: null, cancel);

    /// <summary>Asks a question and streams the answer as it is generated.</summary>
    /// <param name="question">Text and images in order; strings are text.</param>
    /// <exception cref="FoveaException">An image cannot be read, or the conversation exceeds the model's maximum sequence length.</exception>
    public IAsyncEnumerable<string> StreamAsync(params Part[] question) => StreamAsync(Message.User(question));

    /// <summary>Asks a question and streams the answer as it is generated.</summary>
    /// <param name="question">A message of <see cref="Role.User"/>.</param>
    /// <param name="options">How to generate; null uses the model's defaults.</param>
    /// <param name="cancel">Ends the answer at its next token; leaving the loop does the same. The text so far is kept.</param>
    /// <exception cref="FoveaException">An image cannot be read, or the conversation exceeds the model's maximum sequence length.</exception>
    /// <exception cref="OperationCanceledException">The answer was cancelled.</exception>
    public IAsyncEnumerable<string> StreamAsync(Message question, GenerationOptions? options = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(question);
        return VisionModel.Stream((say, stop) => Ask(question, options, say, stop), cancel);
    }

    /// <summary>Starts a new conversation; the system prompt is kept.</summary>
    public Task ClearAsync() => model.Run(() =>
    {
        session.Clear();
        return true;
    });

    // As somebody types it: <image> in the text says where an image goes, images without one come first.
    internal Task<ChatAnswer> Ask(string text, IReadOnlyList<string> images, GenerationOptions? options, Action<string>? onText, CancellationToken cancel) =>
        Ask(model.Loaded.Prompts.Question(text, [.. images.Select(MediaSource.FromFile)]), options, onText, cancel);

    private Task<ChatAnswer> Ask(Message question, GenerationOptions? options, Action<string>? onText, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(question);
        return question.Role == Role.User
            ? model.Run(() => session.Ask(question, model.With(options), onText, cancel), CancellationToken.None)
            : throw new ArgumentException($"a question is by {Role.User}, not {question.Role}", nameof(question));
    }
}
