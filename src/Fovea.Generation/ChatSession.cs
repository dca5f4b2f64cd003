namespace Fovea.Generation;

/// <summary>
/// A conversation over several turns. Everything said before stays in the prompt; what the engine's cache still holds of it is not computed again.
/// For one thread.
/// </summary>
/// <param name="answerer">Several conversations may take turns with it.</param>
/// <param name="prompts">Reads images and says where they go.</param>
internal sealed class ChatSession(Answerer answerer, PromptBuilder prompts)
{
    private readonly List<Message> messages = [];

    /// <summary>The system prompt; null is the default one.</summary>
    public string? System { get; set; }

    /// <summary>What was said so far: questions and answers in turns.</summary>
    public IReadOnlyList<Message> Messages => messages;

    /// <inheritdoc cref="Ask(Message, GenerationOptions, Action{string}?, CancellationToken)"/>
    /// <param name="text">The question; <c>&lt;image&gt;</c> says where an image goes, images without one come first.</param>
    /// <param name="imagePaths">Image files in that order.</param>
    public ChatAnswer Ask(
        string text, IReadOnlyList<string> imagePaths, GenerationOptions options, Action<string>? onText = null, CancellationToken cancel = default) =>
        Ask(prompts.Question(text, [.. imagePaths.Select(MediaSource.FromFile)]), options, onText, cancel);

    /// <summary>Asks and answers. A question that fails (an unreadable image, too long a prompt) leaves the conversation as it was.</summary>
    /// <param name="question">The question with its images.</param>
    /// <param name="options">How to choose tokens and when to stop.</param>
    /// <param name="onText">Called with each piece of the answer as it comes; whole characters only.</param>
    /// <param name="cancel">Ends the answer; what there is by then is kept.</param>
    public ChatAnswer Ask(Message question, GenerationOptions options, Action<string>? onText = null, CancellationToken cancel = default)
    {
        var asked = new Conversation([.. System is null ? [] : new[] { Message.System(System) }, .. messages, question]);
        var answer = answerer.Answer(asked, options, onText, cancel);
        if (answer.Generation.Ids.Count > 0)
        {
            messages.AddRange([question, Message.Assistant(answer.Text)]);
        }

        return answer;
    }

    /// <summary>Begins a new conversation; the system prompt stays.</summary>
    public void Clear()
    {
        messages.Clear();
        answerer.Forget();
    }
}
