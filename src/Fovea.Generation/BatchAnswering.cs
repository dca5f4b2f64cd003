using Fovea.Data.Tokenizers;
using Fovea.Generation.Engine;
using Fovea.Models;

namespace Fovea.Generation;

/// <summary>Answers many questions over a model that stays the caller's. What it keeps in memory it frees when it is disposed.</summary>
internal sealed class BatchAnswering : IBatchAnswerer, IDisposable
{
    private readonly GenerationEngine engine;
    private readonly BatchAnswerer answerer;

    /// <param name="sum">As <see cref="GenerationEngine.Sum"/>.</param>
    public BatchAnswering(VisionLanguageModel model, Tokenizer tokenizer, PromptBuilder prompts, Func<double[], double[]>? sum)
    {
        engine = new GenerationEngine(model) { Sum = sum };
        answerer = new BatchAnswerer(engine, new Answerer(engine, tokenizer, prompts));
    }

    public IEnumerable<BatchAnswer> AnswerAll(IEnumerable<AnswerRequest> requests, CancellationToken cancel) => answerer.AnswerAll(requests, cancel);

    public void Dispose() => engine.Dispose();
}
