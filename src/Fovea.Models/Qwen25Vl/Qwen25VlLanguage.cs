using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Qwen25Vl;

/// <summary>The Qwen2 decoder with M-RoPE: token and image embeddings to final hidden states.</summary>
/// <remarks>Suffixes: T tokens, E width, M image tokens.</remarks>
public sealed class Qwen25VlLanguage
{
    private readonly Qwen25VlConfig config;
    private readonly BlockPolicy policy;
    private readonly LanguageBlock[] blocks;
    private readonly RmsNorm norm;

    public Qwen25VlLanguage(Weights root, Qwen25VlConfig config, BlockPolicy policy)
    {
        this.config = config;
        this.policy = policy;
        var w = root / "model";
        Embeddings = (w / "embed_tokens").Take("weight", config.VocabularySize, config.HiddenSize);
        blocks = new LanguageBlock[config.Layers];
        for (var i = 0; i < blocks.Length; i++)
        {
            blocks[i] = new LanguageBlock(w / "layers" / i, config, i);
        }

        norm = new RmsNorm(w / "norm", config.HiddenSize, config.NormEpsilon);
        Head = config.TiedEmbeddings ? Embeddings : (root / "lm_head").Take("weight", config.VocabularySize, config.HiddenSize);
    }

    public Parameter Embeddings { get; }

    /// <summary>The output head [V, E].</summary>
    public Parameter Head { get; }

    /// <param name="ids_T">64-bit token ids.</param>
    /// <param name="positions">Time, height and width of each token, [3][T].</param>
    /// <param name="attention">Who sees whom.</param>
    /// <param name="images_ME">Features that replace the embeddings at <paramref name="slots_M"/>; null without images.</param>
    /// <param name="slots_M">64-bit positions of the image tokens, ascending.</param>
    /// <param name="wanted_L">64-bit rows to return; null for all. The last block does the rest of its work for these alone.</param>
    /// <param name="watch">Sees the input and the output of every block; for tests.</param>
    /// <returns>[T, E] or [L, E] after the final norm.</returns>
    public Tensor Forward(
        Tensor ids_T,
        int[][] positions,
        IAttentionPlan attention,
        Tensor? images_ME = null,
        Tensor? slots_M = null,
        Tensor? wanted_L = null,
        Action<string, Tensor>? watch = null)
    {
        var x_TE = policy.Run(BlockPolicy.Embeddings, ids => Embeddings.Use().Embedding(ids), ids_T);
        if (images_ME is not null)
        {
            x_TE = x_TE.IndexCopy(0, slots_M!, images_ME.To(x_TE.DType));
        }

        var rotary = MultimodalRotary.For(positions, config, x_TE.Device);
        watch?.Invoke("input", x_TE);
        for (var i = 0; i < blocks.Length; i++)
        {
            var block = blocks[i];
            var rows = i == blocks.Length - 1 ? wanted_L : null;
            x_TE = policy.Run(BlockPolicy.LanguageBlock(i), x => block.Forward(x, rotary, attention, rows), x_TE);
            watch?.Invoke($"block{i}", x_TE);
        }

        return norm.Forward(x_TE);
    }
}
