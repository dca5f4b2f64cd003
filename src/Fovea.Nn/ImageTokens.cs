using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>What a decoder takes from images.</summary>
/// <remarks>Suffixes: T tokens, E width, M image tokens.</remarks>
/// <param name="Slots">64-bit positions of the image tokens, ascending [M].</param>
/// <param name="Embeddings">What stands there in place of the tokens' own embeddings [M, E].</param>
/// <param name="PerLayer">What is added there behind each of the first layers [M, E]; usually empty.</param>
internal sealed record ImageTokens(Tensor Slots, Tensor Embeddings, IReadOnlyList<Tensor> PerLayer)
{
    /// <param name="x_TE">Embeddings of all tokens.</param>
    public Tensor Embed(Tensor x_TE) => x_TE.IndexCopy(0, Slots, Embeddings.To(x_TE.DType));

    /// <summary>Whether something is added behind a layer.</summary>
    public bool AddsBehind(int layer) => layer < PerLayer.Count;

    /// <param name="x_TE">Hidden states of all tokens behind the layer.</param>
    public Tensor AddBehind(int layer, Tensor x_TE) => x_TE.IndexAdd(0, Slots, PerLayer[layer].To(x_TE.DType));
}
