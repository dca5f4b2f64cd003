using System.Text;
using Fovea.Data.Tokenizers;
using Fovea.Generation.Sampling;

namespace Fovea.Generation;

/// <summary>Makes text of the tokens of one question's answers, and gathers them until the last has ended.</summary>
internal sealed class AnswerTexts
{
    private readonly GenerationOptions options;
    private readonly One[] all;
    private readonly Action<AnswerPiece>? onText;
    private readonly Action<IReadOnlyList<ChatAnswer>> onEnd;
    private readonly Action<Exception> onFail;
    private bool failed;

    public AnswerTexts(
        Tokenizer tokenizer, GenerationOptions options, Action<AnswerPiece>? onText, Action<IReadOnlyList<ChatAnswer>> onEnd, Action<Exception> onFail)
    {
        (this.options, this.onText, this.onEnd, this.onFail) = (options, onText, onEnd, onFail);
        all = [.. Enumerable.Range(0, options.Count).Select(_ => new One(tokenizer, options))];
    }

    /// <returns>False when a stop string ended the answer.</returns>
    public bool OnToken(int sample, int id, TokenLogprob? logprob)
    {
        var one = all[sample];
        var piece = one.Push(id, logprob, ++one.Made > options.MinNewTokens);
        if (piece.Length > 0)
        {
            onText?.Invoke(new AnswerPiece(sample, piece, one.Told(end: false), Ended: null));
        }

        return !one.Stop.Ended;
    }

    public void OnEnd(int sample, GenerationResult result)
    {
        var one = all[sample];
        var piece = one.Flush();
        one.Answer = new ChatAnswer(one.Text.ToString(), result);
        onText?.Invoke(new AnswerPiece(sample, piece, one.Told(end: true), one.Answer));
        if (Array.TrueForAll(all, other => other.Answer is not null))
        {
            onEnd(Array.ConvertAll(all, other => other.Answer!));
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

    private sealed class One(Tokenizer tokenizer, GenerationOptions options)
    {
        private readonly StreamingDecoder decoder = tokenizer.NewStreamingDecoder();

        // Tokens that are not told yet, with the place in the text where each begins.
        private readonly Queue<(int Id, TokenLogprob? Logprob, int Start)> untold = new();
        private int decoded;

        public StopText Stop { get; } = new(options.StopStrings);

        public StringBuilder Text { get; } = new();

        public int Made { get; set; }

        public ChatAnswer? Answer { get; set; }

        public string Push(int id, TokenLogprob? logprob, bool look)
        {
            untold.Enqueue((id, logprob, decoded));
            var text = decoder.Push(id);
            decoded += text.Length;
            return Add(Stop.Push(text, look));
        }

        public string Flush() => Add(Stop.Push(decoder.Flush()) + Stop.Flush());

        /// <summary>Tokens whose text has been given out; at the end all, but those of a stop string.</summary>
        public List<(int Id, TokenLogprob? Logprob)> Told(bool end)
        {
            var told = new List<(int, TokenLogprob?)>();
            while (untold.TryPeek(out var token) && (token.Start < Text.Length || (end && !Stop.Ended)))
            {
                told.Add((token.Id, token.Logprob));
                untold.Dequeue();
            }

            return told;
        }

        private string Add(string piece)
        {
            Text.Append(piece);
            return piece;
        }
    }
}
