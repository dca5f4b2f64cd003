using Fovea.Generation.Constraints;

namespace Fovea.Generation.Engine;

/// <summary>What an engine is asked for: to go on from a prompt, and whom to tell.</summary>
internal sealed class EngineRequest
{
    public required Prompt Prompt { get; init; }

    public required GenerationOptions Options { get; init; }

    /// <summary>What the constraint of the options was made to; null: it is made when the request is taken.</summary>
    public CompiledConstraint? Form { get; init; }

    /// <summary>Looked at between passes; what there is by then is returned.</summary>
    public CancellationToken Cancel { get; init; }

    /// <summary>
    /// Called with the number of the sample, every new token but a stop token, and its log probability where that is asked for. False ends that answer, as a
    /// stop string does.
    /// </summary>
    public Func<int, int, TokenLogprob?, bool>? OnToken { get; init; }

    /// <summary>Called once for each sample that has ended.</summary>
    public Action<int, GenerationResult>? OnEnd { get; init; }

    /// <summary>Called instead where a sample failed.</summary>
    public Action<int, Exception>? OnFail { get; init; }
}
