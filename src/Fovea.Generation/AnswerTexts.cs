using System.Text;
using Fovea.Data.Tokenizers;
using Fovea.Generation.Sampling;

namespace Fovea.Generation;

/// <summary>Makes text of the tokens of one question's answers, and gathers them until the last has ended.</summary>
internal sealed class AnswerTexts
{
    private readonly GenerationOptions options;
    private readonly StreamingDecoder[] decoders;
    private readonly StopText[] stops;
    private readonly StringBuilder[] texts;
    private readonly int[] made;
    private readonly ChatAnswer?[] answers;
    private readonly Action<string>? onText;
    private readonly Action<IReadOnlyList<ChatAnswer>> onEnd;
    private readonly Action<Exception> onFail;
    private bool failed;

    public AnswerTexts(
        Tokenizer tokenizer, GenerationOptions options, Action<string>? onText, Action<IReadOnlyList<ChatAnswer>> onEnd, Action<Exception> onFail)
    {
        (this.options, this.onText, this.onEnd, this.onFail) = (options, onText, onEnd, onFail);
        decoders = [.. Enumerable.Range(0, options.Count).Select(_ => tokenizer.NewStreamingDecoder())];
        stops = Array.ConvertAll(decoders, _ => new StopText(options.StopStrings));
        texts = Array.ConvertAll(decoders, _ => new StringBuilder());
        made = new int[options.Count];
        answers = new ChatAnswer?[options.Count];
    }

    /// <returns>False when a stop string ended the answer.</returns>
    public bool OnToken(int sample, int id)
    {
        Say(sample, stops[sample].Push(decoders[sample].Push(id), ++made[sample] > options.MinNewTokens));
        return !stops[sample].Ended;
    }

    public void OnEnd(int sample, GenerationResult result)
    {
        Say(sample, stops[sample].Push(decoders[sample].Flush()));
        Say(sample, stops[sample].Flush());
        answers[sample] = new ChatAnswer(texts[sample].ToString(), result);
        if (Array.TrueForAll(answers, answer => answer is not null))
        {
            onEnd(answers!);
        }
    }

    public void OnFail(Exception e)
    {
        if (!failed)
        {
            failed = true;
            onFail(e);
        }
    }

    private void Say(int sample, string piece)
    {
        if (piece.Length > 0)
        {
            texts[sample].Append(piece);
            onText?.Invoke(piece);
        }
    }
}
