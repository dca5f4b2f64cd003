using Fovea.Data.Tokenizers;
using Fovea.Models;

namespace Fovea.Generation;

/// <summary>Answers many questions over a model that stays the caller's. What it keeps in memory it frees when it is disposed.</summary>
internal sealed class BatchAnswering : IBatchAnswerer, IDisposable
{
    private readonly Answerer answerer;
    private readonly IBatchAnswerer inner;

    private BatchAnswering(Answerer answerer, IBatchAnswerer inner) => (this.answerer, this.inner) = (answerer, inner);

    /// <param name="agree">Where several processes answer every question together: makes one choice of what each has chosen. Else null.</param>
    public static BatchAnswering Open(VisionLanguageModel model, Tokenizer tokenizer, PromptBuilder prompts, Func<int, int>? agree)
    {
        var answerer = new Answerer(model, tokenizer, prompts) { Agree = agree };
        return new BatchAnswering(answerer, new AnswersInTurns(answerer, prompts));
    }

    public IEnumerable<BatchAnswer> AnswerAll(IEnumerable<AnswerRequest> requests, CancellationToken cancel) => inner.AnswerAll(requests, cancel);

    public void Dispose() => answerer.Dispose();
}
