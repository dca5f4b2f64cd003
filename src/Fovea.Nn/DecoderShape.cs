namespace Fovea.Nn;

/// <summary>The sizes of a decoder of the Llama kind (Llama, Qwen2, Qwen3, Qwen3.5, MiniCPM), as a checkpoint's config.json states them.</summary>
internal sealed record DecoderShape
{
    public required int Width { get; init; }

    /// <summary>Of the gated MLP.</summary>
    public required int Inner { get; init; }

    public required int Layers { get; init; }

    public required int Heads { get; init; }

    /// <summary>Neighbouring query heads share one of these.</summary>
    public required int KeyValueHeads { get; init; }

    public required int HeadSize { get; init; }

    public required int VocabularySize { get; init; }

    public required double NormEpsilon { get; init; }

    /// <summary>Whether q, k and v have biases, as Qwen2's have.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>Whether every head's queries and keys are normalised before they are turned, as Qwen3's are.</summary>
    public bool NormalisesQueriesAndKeys { get; init; }

    /// <summary>Whether each query head has a gate on its result, from the same projection, as Qwen3.5's have.</summary>
    public bool GatesAttention { get; init; }

    /// <summary>What is added to the weights of norms: 1 where they lie around 0.</summary>
    public double NormShift { get; init; }

    /// <summary>Whether the output head is the embedding table.</summary>
    public bool TiedEmbeddings { get; init; }

    /// <summary>Factor on embeddings of tokens (MiniCPM's scale_emb).</summary>
    public double EmbeddingScale { get; init; } = 1;

    /// <summary>Factor on what every attention and MLP adds to the stream (MiniCPM's scale_depth / sqrt(layers)).</summary>
    public double ResidualScale { get; init; } = 1;

    /// <summary>Factor on final hidden states, and so on logits (MiniCPM's dim_model_base / width).</summary>
    public double OutputScale { get; init; } = 1;

    /// <summary>The sizes of layers that have a recurrence in place of attention; null where none has.</summary>
    public GatedDeltaShape? Delta { get; init; }

    /// <summary>For every layer whether it has a recurrence; empty where none has.</summary>
    public IReadOnlyList<bool> Recurrent { get; init; } = [];

    /// <summary>What brings the tokens together in a layer.</summary>
    internal IMixer MixerOf(Block block, int layer) => Delta is { } delta && Recurrent[layer]
        ? new GatedDeltaMixer(block / "linear_attn", delta, layer)
        : new GroupedAttention(block / "self_attn", this, layer);
}
