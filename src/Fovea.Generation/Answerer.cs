using System.Text;
using Fovea.Data.Images;
using Fovea.Data.Tokenizers;
using Fovea.Generation.Engine;

namespace Fovea.Generation;

/// <summary>
/// Answers the last question of a conversation. The engine's cache is kept between answers: what a conversation has in common with earlier ones is not
/// computed again. For the thread that owns the model.
/// </summary>
internal sealed class Answerer(GenerationEngine engine, Tokenizer tokenizer, PromptBuilder prompts)
{

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
        var result = engine.Generate(prompt, options, OnToken, cancel);
        Say(decoder.Flush());
        return new ChatAnswer(answer.ToString(), result);

        bool OnToken(int id)
        {
            Say(decoder.Push(id));
            return true;
        }

        void Say(string piece)
        {
            if (piece.Length > 0)
            {
                answer.Append(piece);
                onText?.Invoke(piece);
            }
        }
    }

    /// <summary>Forgets what was computed.</summary>
    public void Reset() => engine.Reset();
}
