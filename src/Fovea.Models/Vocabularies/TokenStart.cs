namespace Fovea.Models.Vocabularies;

/// <summary>How the rows of new tokens begin; LLaMA-Factory's <c>init_special_tokens</c>.</summary>
internal enum TokenStart
{
    /// <summary>The mean of all other rows, and noise of deviation 1/sqrt(width).</summary>
    NoiseInit,

    /// <summary>The mean of the embeddings of what describes the token.</summary>
    DescInit,

    /// <summary>That mean, and the noise.</summary>
    DescInitWNoise,
}
