using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Grids;

/// <summary>The Qwen2 decoder with M-RoPE: token and image embeddings to final hidden states.</summary>
internal abstract class Qwen2Language(Weights root, Qwen2Text config)
{
    private readonly Decoder decoder = new(root, config.Decoder);
    private readonly int[] axis = MultimodalRotary.InSections(config.MropeSection);

    /// <summary>The output head [V, E].</summary>
    public Parameter Head => decoder.Head;

    /// <param name="ids_T">64-bit token ids.</param>
    /// <param name="positions">Time, height and width of each token, [3][T].</param>
    /// <param name="attention">Who sees whom.</param>
    /// <param name="images">What images put in place of tokens, and add behind layers; null without images.</param>
    /// <param name="wanted_L">64-bit rows to return; null for all. The last block does the rest of its work for these alone.</param>
    /// <param name="watch">Sees the input and the output of every block; for tests.</param>
    /// <returns>[T, E] or [L, E] after the final norm.</returns>
    public Tensor Forward(
        Tensor ids_T,
        int[][] positions,
        IAttentionPlan attention,
        ImageTokens? images = null,
        Tensor? wanted_L = null,
        Action<string, Tensor>? watch = null) =>
        decoder.Forward(ids_T, MultimodalRotary.For(positions, config.Rope, axis, ids_T.Device), attention, images, wanted_L, watch);
}
