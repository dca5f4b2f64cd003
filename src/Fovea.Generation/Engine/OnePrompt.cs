namespace Fovea.Generation.Engine;

/// <summary>An engine that is asked for one prompt alone, as tests and benchmarks do.</summary>
internal static class OnePrompt
{
    /// <summary>Goes on from one prompt until a stop token, the limit, or cancellation (what there is by then is returned).</summary>
    /// <param name="onToken">Called with every new token but a stop token, as soon as it is known; false ends the answer.</param>
    /// <exception cref="ConfigException">The prompt is empty or longer than the model or the cache takes, or an option is out of range.</exception>
    public static GenerationResult Generate(
        this GenerationEngine engine, Prompt prompt, GenerationOptions options, Func<int, bool>? onToken = null, CancellationToken cancel = default)
    {
        GenerationResult? result = null;
        engine.Submit(new EngineRequest
        {
            Prompt = prompt,
            Options = options,
            Cancel = cancel,
            OnToken = onToken is null ? null : (_, id, _) => onToken(id),
            OnEnd = (_, ended) => result = ended,
        });
        while (result is null && engine.Step())
        {
        }

        return result ?? throw new InvalidOperationException("the engine had nothing to do before the answer ended");
    }
}
