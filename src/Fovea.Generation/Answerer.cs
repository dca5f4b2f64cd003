using System.Text;
using Fovea.Data.Images;
using Fovea.Data.Tokenizers;
using Fovea.Generation.Constraints;
using Fovea.Generation.Sampling;
using Fovea.Models;

namespace Fovea.Generation;

/// <summary>
/// Answers the last question of a conversation. The key/value cache is kept between answers: what a conversation has in common with the one before is not
/// computed again. For one thread.
/// </summary>
internal sealed class Answerer(VisionLanguageModel model, Tokenizer tokenizer, PromptBuilder prompts) : IDisposable
{
    private readonly Generator generator = new(model) { Constraints = new ConstraintCompiler(tokenizer) };

    /// <inheritdoc cref="Generator.Agree"/>
    public Func<int, int>? Agree
    {
        set => generator.Agree = value;
    }

    /// <param name="asked">The conversation up to the open question.</param>
    /// <param name="shown">All its images as patches, in order. An image whose patches are the same object as before is not computed again.</param>
    /// <param name="options">How to choose tokens and when to stop.</param>
    /// <param name="onText">Called with each piece of the answer as it comes; whole characters only.</param>
    /// <param name="cancel">Ends the answer; what there is by then is returned.</param>
    /// <exception cref="ConfigException">The model does not take what the conversation holds, or not so much of it.</exception>
    public ChatAnswer Answer(
        Conversation asked, IReadOnlyList<ProcessedMedia> shown, GenerationOptions options, Action<string>? onText, CancellationToken cancel)
    {
        var prompt = prompts.Build(asked, shown);
        var decoder = tokenizer.NewStreamingDecoder();
        var answer = new StringBuilder();
        var text = new StopText(options.StopStrings);
        var made = 0;
        generator.Ends = () => text.Ended;
        var result = generator.Generate(prompt, options, id => Say(text.Push(decoder.Push(id), ++made > options.MinNewTokens)), cancel);
        Say(text.Push(decoder.Flush()));
        Say(text.Flush());
        return new ChatAnswer(answer.ToString(), result);

        void Say(string piece)
        {
            if (piece.Length > 0)
            {
                answer.Append(piece);
                onText?.Invoke(piece);
            }
        }
    }

    /// <summary>Frees the cache.</summary>
    public void Reset() => generator.Reset();

    public void Dispose() => generator.Dispose();
}
