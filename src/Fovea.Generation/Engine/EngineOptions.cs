using Fovea.Tensors;

namespace Fovea.Generation.Engine;

/// <summary>How much an engine computes at once, and how much it may keep.</summary>
internal sealed record EngineOptions
{
    /// <summary>Tokens of one page of the key/value cache; as the kernels have it.</summary>
    public const int PageTokens = NetOps.PageTokens;

    /// <summary>Most bytes of keys and values, and of states; null is a share of the memory that is there.</summary>
    public long? CacheBytes { get; init; }

    /// <summary>Most sequences that are answered at once.</summary>
    public int MostSequences { get; init; } = 64;

    /// <summary>Most tokens of a pass; longer prompts are computed in chunks, while answers go on.</summary>
    public int PassTokens { get; init; } = 1024;

    /// <summary>Most patches that the vision side sees at once; an image that has more is alone.</summary>
    public int VisionPatches { get; init; } = 8192;

    /// <summary>Whether tokens are chosen where the logits are, so that only the choices leave the device; null: on GPUs.</summary>
    public bool? ChoosesOnDevice { get; init; }

    /// <summary>Whether what prompts have in common at their beginning is computed once.</summary>
    public bool SharesPrefixes { get; init; } = true;
}
