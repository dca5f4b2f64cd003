using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>A decoder of the Llama kind: token and image embeddings to final hidden states. How positions turn queries and keys is the family's.</summary>
/// <remarks>Suffixes: T tokens, E width, M image tokens, L wanted rows.</remarks>
internal sealed class Decoder
{
    private readonly DecoderShape shape;
    private readonly Block embed;
    private readonly DecoderBlock[] blocks;
    private readonly RmsNorm norm;

    /// <param name="root">Holds <c>model.*</c> and <c>lm_head</c>.</param>
    public Decoder(Weights root, DecoderShape shape)
        : this(root / "model", root / "lm_head", shape)
    {
    }

    /// <param name="w">Holds embeddings, layers and the final norm.</param>
    /// <param name="head">The output head's, if it has a weight of its own.</param>
    public Decoder(Weights w, Weights head, DecoderShape shape)
    {
        this.shape = shape;
        embed = (w / "embed_tokens").Block(ModelPart.Language, "embeddings", BlockKind.Lookup);
        Embeddings = embed.Weights.Take("weight", shape.VocabularySize, shape.Width);
        blocks = new DecoderBlock[shape.Layers];
        for (var i = 0; i < blocks.Length; i++)
        {
            blocks[i] = new DecoderBlock((w / "layers" / i).Block(ModelPart.Language, $"language block {i}"), shape, i);
        }

        norm = new RmsNorm(w / "norm", shape.Width, shape.NormEpsilon, shape.NormShift);
        Head = shape.TiedEmbeddings ? Embeddings : head.Take("weight", shape.VocabularySize, shape.Width);
    }

    public Parameter Embeddings { get; }

    /// <summary>The output head [V, E].</summary>
    public Parameter Head { get; }

    /// <param name="ids_T">64-bit token ids.</param>
    /// <param name="rotary">Angles of each token.</param>
    /// <param name="attention">Who sees whom.</param>
    /// <param name="images">What images put in place of tokens, and add behind layers; null without images.</param>
    /// <param name="wanted_L">64-bit rows to return; null for all. The last block does the rest of its work for these alone.</param>
    /// <param name="balance">Takes what the loss of routers is made of; null where none is wanted.</param>
    /// <param name="watch">Sees the input and the output of every block; for tests.</param>
    /// <param name="inside">Sees what happens inside every block; for tests.</param>
    /// <returns>[T, E] or [L, E] after the final norm.</returns>
    public Tensor Forward(
        Tensor ids_T,
        Rotary rotary,
        ISequencePlan attention,
        ImageTokens? images = null,
        Tensor? wanted_L = null,
        RouterBalance? balance = null,
        Action<string, Tensor>? watch = null,
        Action<string, Tensor>? inside = null)
    {
        if (images?.AddsBehind(blocks.Length) == true)
        {
            throw new ArgumentException($"features for {images.PerLayer.Count} layers, but the decoder has {blocks.Length}", nameof(images));
        }

        var x_TE = embed.Run(Embed, ids_T);
        if (images is not null)
        {
            x_TE = images.Embed(x_TE);
        }

        watch?.Invoke("input", x_TE);
        for (var i = 0; i < blocks.Length; i++)
        {
            var wanted = i == blocks.Length - 1 ? wanted_L : null;
            var within = Within(inside, i);
            if (images?.AddsBehind(i) == true)
            {
                // Outside of the block, which may run again for its gradients; and before rows are chosen, as image tokens may not be among them.
                x_TE = images.AddBehind(i, blocks[i].Forward(x_TE, rotary, attention, null, balance, within));
                x_TE = wanted is null ? x_TE : x_TE.IndexSelect(0, wanted);
            }
            else
            {
                x_TE = blocks[i].Forward(x_TE, rotary, attention, wanted, balance, within);
            }

            watch?.Invoke($"block{i}", x_TE);
        }

        var last = norm.Forward(x_TE);
        return shape.OutputScale == 1 ? last : last.Mul(shape.OutputScale);
    }

    private static Action<string, Tensor>? Within(Action<string, Tensor>? inside, int block) =>
        inside is null ? null : (what, x) => inside($"layer{block}.{what}", x);

    private Tensor Embed(Tensor ids)
    {
        var rows = embed.Weights.Ledger.WithNoise(Embeddings.Lookup(ids));
        return shape.EmbeddingScale == 1 ? rows : rows.Mul(shape.EmbeddingScale);
    }
}
