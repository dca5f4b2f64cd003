using Fovea.Data.Images;
using Fovea.Data.Tokenizers;
using Fovea.Generation.Constraints;
using Fovea.Generation.Engine;

namespace Fovea.Generation;

/// <summary>
/// Answers the last question of conversations: makes the prompts, and text of the tokens. The engine's cache is kept between answers, so what conversations
/// have in common is computed once. For the thread that owns the model, except where it says otherwise.
/// </summary>
internal sealed class Answerer
{
    private readonly GenerationEngine engine;
    private readonly Tokenizer tokenizer;
    private readonly PromptBuilder prompts;
    private readonly MediaMemory media;
    private readonly Lazy<MediaMemory> coarseMedia;

    public Answerer(GenerationEngine engine, Tokenizer tokenizer, PromptBuilder prompts)
    {
        (this.engine, this.tokenizer, this.prompts) = (engine, tokenizer, prompts);
        media = new MediaMemory(prompts.Read);
        coarseMedia = new(() => new MediaMemory((Coarse ?? throw new InvalidOperationException("images are read in one way")).Value.Process));
        Constraints = engine.Constraints = new ConstraintCompiler(tokenizer);
    }

    /// <summary>Makes constraints hold for the model's tokenizer.</summary>
    public ConstraintCompiler Constraints { get; }

    /// <summary>Reads images with fewer pixels; made when the first is asked for.</summary>
    public Lazy<IMediaProcessor>? Coarse { get; set; }

    /// <summary>The prompt of a conversation, its images read. On any thread.</summary>
    /// <param name="asked">The conversation up to the open question.</param>
    /// <exception cref="FoveaException">An image cannot be used; names the picture and the reason.</exception>
    /// <exception cref="ConfigException">The model does not take what the conversation holds.</exception>
    public Prompt PromptOf(Conversation asked) => prompts.Build(asked, [.. asked.Images.Select(media.Of)]);

    /// <inheritdoc cref="PromptOf(Conversation)"/>
    /// <param name="coarse">Images that are read by <see cref="Coarse"/>.</param>
    public Prompt PromptOf(Conversation asked, IReadOnlyCollection<MediaSource> coarse) => prompts.Build(
        asked, [.. asked.Images.Select(image => coarse.Contains(image) ? coarseMedia.Value.Of(image) : media.Of(image))]);

    /// <summary>The prompt of a bare text, which the model goes on from. On any thread.</summary>
    /// <param name="text">What the tokenizer puts around a text comes too; nothing of a chat template does.</param>
    /// <exception cref="ConfigException">The model has no embedding for one of its tokens.</exception>
    public Prompt PromptOf(string text) => prompts.Bare(tokenizer.Encode(text, addSpecialTokens: true));

    /// <inheritdoc cref="PromptOf(string)"/>
    public Prompt PromptOf(int[] ids) => prompts.Bare(ids);

    /// <summary>What options ask of the form of an answer, made ready without the model's thread. On any thread.</summary>
    /// <returns>Null where they ask for none.</returns>
    /// <exception cref="ConfigException">The constraint is malformed, too large, holds what is not supported, or cannot be satisfied.</exception>
    public async Task<CompiledConstraint?> FormOf(GenerationOptions options, CancellationToken cancel) =>
        options.Constraint is { } constraint ? await Constraints.Prepare(constraint, cancel).ConfigureAwait(false) : null;

    /// <summary>Puts a question in the engine's queue.</summary>
    /// <param name="form">What <see cref="FormOf"/> gave for the options; null: a constraint is made here, and what is under way waits for it.</param>
    /// <param name="onText">Called with each piece of the answers as it comes, and with the end of each.</param>
    /// <param name="cancel">Ends the answers; what there is by then is given.</param>
    /// <param name="onEnd">Called with all answers when the last of them has ended.</param>
    /// <param name="onFail">Called instead where one failed.</param>
    /// <exception cref="ConfigException">The prompt is too long, or an option out of range.</exception>
    public void Submit(
        Prompt prompt, GenerationOptions options, Action<AnswerPiece>? onText, Action<IReadOnlyList<ChatAnswer>> onEnd, Action<Exception> onFail,
        CancellationToken cancel, CompiledConstraint? form = null)
    {
        var texts = new AnswerTexts(tokenizer, options, onText, onEnd, onFail);
        engine.Submit(new EngineRequest
        {
            Prompt = prompt,
            Options = options,
            Form = form,
            Cancel = cancel,
            OnToken = texts.OnToken,
            OnEnd = texts.OnEnd,
            OnFail = (_, e) => texts.OnFail(e),
        });
    }

    /// <summary>Answers one question, and whatever else waits by then.</summary>
    /// <param name="asked">The conversation up to the open question.</param>
    /// <param name="options">How to choose tokens and when to stop.</param>
    /// <param name="onText">Called with each piece of the answer as it comes; whole characters only.</param>
    /// <param name="cancel">Ends the answer; what there is by then is returned.</param>
    /// <exception cref="FoveaException">The model does not take what the conversation holds, or not so much of it.</exception>
    public ChatAnswer Answer(Conversation asked, GenerationOptions options, Action<string>? onText, CancellationToken cancel)
    {
        RequireOne(options);
        ChatAnswer? answer = null;
        Exception? failed = null;
        Submit(PromptOf(asked), options, Texts(onText), answers => answer = answers[0], e => failed = e, cancel);
        while (answer is null && failed is null && engine.Step())
        {
        }

        return failed is not null ? throw failed : answer ?? throw new InvalidOperationException("the engine had nothing to do before the answer ended");
    }

    /// <summary>Where one answer is given, one may be asked for.</summary>
    /// <exception cref="ConfigException">The options ask for several.</exception>
    public static void RequireOne(GenerationOptions options)
    {
        if (options.Count > 1)
        {
            throw new ConfigException($"count is {options.Count}, but one answer is given here; AnswerAllAsync gives several");
        }
    }

    /// <summary>Calls with the text of pieces alone.</summary>
    public static Action<AnswerPiece>? Texts(Action<string>? onText) => onText is null ? null : piece =>
    {
        if (piece.Text.Length > 0)
        {
            onText(piece.Text);
        }
    };

    /// <inheritdoc cref="GenerationEngine.Forget"/>
    public void Forget() => engine.Forget();
}
