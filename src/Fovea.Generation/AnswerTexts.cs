using System.Text;
using Fovea.Data.Tokenizers;

namespace Fovea.Generation;

/// <summary>Makes text of the tokens of one question's answers, and gathers them until the last has ended.</summary>
internal sealed class AnswerTexts
{
    private readonly StreamingDecoder[] decoders;
    private readonly StringBuilder[] texts;
    private readonly ChatAnswer?[] answers;
    private readonly Action<string>? onText;
    private readonly Action<IReadOnlyList<ChatAnswer>> onEnd;
    private readonly Action<Exception> onFail;
    private bool failed;

    public AnswerTexts(
        Tokenizer tokenizer, GenerationOptions options, Action<string>? onText, Action<IReadOnlyList<ChatAnswer>> onEnd, Action<Exception> onFail)
    {
        const int count = 1;
        _ = options;
        (this.onText, this.onEnd, this.onFail) = (onText, onEnd, onFail);
        decoders = [.. Enumerable.Range(0, count).Select(_ => tokenizer.NewStreamingDecoder())];
        texts = [.. decoders.Select(_ => new StringBuilder())];
        answers = new ChatAnswer?[count];
    }

    public bool OnToken(int sample, int id)
    {
        Say(sample, decoders[sample].Push(id));
        return true;
    }

    public void OnEnd(int sample, GenerationResult result)
    {
        Say(sample, decoders[sample].Flush());
        answers[sample] = new ChatAnswer(texts[sample].ToString(), result);
        if (Array.TrueForAll(answers, answer => answer is not null))
        {
            onEnd(answers!);
        }
    }

    public void OnFail(int sample, Exception e)
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
