using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Models.MiniMindV;

/// <summary>One layer of the decoder: grouped-query attention without biases, then a gated MLP or a mixture of them, each behind an RMSNorm.</summary>
internal sealed class DecoderBlock
{
    private readonly Block block;
    private readonly MiniMindVConfig config;
    private readonly int layer;
    private readonly RmsNorm inputNorm;
    private readonly Linear q;
    private readonly Linear k;
    private readonly Linear v;
    private readonly Linear o;
    private readonly RmsNorm? qNorm;
    private readonly RmsNorm? kNorm;
    private readonly RmsNorm attentionNorm;
    private readonly GatedMlp? mlp;
    private readonly ExpertRouter? experts;

    public DecoderBlock(Block block, MiniMindVConfig config, int layer, bool original)
    {
        (this.block, this.config, this.layer) = (block, config, layer);
        var (e, size) = ((long)config.HiddenSize, config.HeadSize);
        var attention = block / "self_attn";
        inputNorm = new RmsNorm(block / "input_layernorm", e, config.NormEpsilon);
        q = new Linear(attention / "q_proj", e, (long)config.Heads * size, bias: false);
        k = new Linear(attention / "k_proj", e, (long)config.KeyValueHeads * size, bias: false);
        v = new Linear(attention / "v_proj", e, (long)config.KeyValueHeads * size, bias: false);
        o = new Linear(attention / "o_proj", (long)config.Heads * size, e, bias: false);
        qNorm = config.NormalisesQueriesAndKeys ? new RmsNorm(attention / "q_norm", size, config.NormEpsilon) : null;
        kNorm = config.NormalisesQueriesAndKeys ? new RmsNorm(attention / "k_norm", size, config.NormEpsilon) : null;
        attentionNorm = new RmsNorm(block / "post_attention_layernorm", e, config.NormEpsilon);
        mlp = config.UseMoe ? null : new GatedMlp(block / "mlp", e, config.IntermediateSize, bias: false);
        experts = config.UseMoe ? new ExpertRouter(block / "mlp", config, original) : null;
    }

    /// <param name="wanted">Rows that the result is made of; null for all. The others still serve as keys and values, and to the router's loss.</param>
    /// <param name="watch">Sees the outputs of attention and MLP; for tests.</param>
    public Tensor Forward(Tensor x_TE, Rotary rotary, ModelInput input, Tensor? wanted = null, Action<string, Tensor>? watch = null) =>
        block.Run(x => Compute(x, rotary, input, wanted, watch), x_TE);

    private Tensor Compute(Tensor x_TE, Rotary rotary, ModelInput input, Tensor? wanted, Action<string, Tensor>? watch)
    {
        var qkv = Linear.Together(inputNorm.Forward(x_TE), q, k, v);
        var q_THD = rotary.Apply(Turn(qkv[0].View(-1, config.Heads, config.HeadSize), qNorm));
        var k_TGD = rotary.Apply(Turn(qkv[1].View(-1, config.KeyValueHeads, config.HeadSize), kNorm));
        var v_TGD = qkv[2].View(-1, config.KeyValueHeads, config.HeadSize);
        var heads_TE = input.Attention.Attend(layer, q_THD, k_TGD, v_TGD, Math.Pow(config.HeadSize, -0.5));

        // The router's loss is over all tokens, so then only what comes after it can be spared.
        var late = experts is not null && input.Side is not null ? wanted : null;
        using var rows = wanted is null || late is not null ? null : PassRows.Select(wanted);
        if (wanted is not null && late is null)
        {
            (x_TE, heads_TE) = (x_TE.IndexSelect(0, wanted), heads_TE.IndexSelect(0, wanted));
        }

        var attended = o.Forward(heads_TE);
        watch?.Invoke($"attn_out.{layer}", attended);
        x_TE = x_TE.Add(attended);
        var h_TE = attentionNorm.Forward(x_TE);
        var y_TE = mlp?.Forward(h_TE) ?? experts!.Forward(h_TE, input, late);
        watch?.Invoke($"mlp_out.{layer}", y_TE);
        return (late is null ? x_TE : x_TE.IndexSelect(0, late)).Add(y_TE);
    }

    /// <summary>
    /// Norm, and for pairs of neighbours the even dimensions before the odd ones: both queries and keys, so their products stay, and the pairs are those of
    /// the rotate-half form.
    /// </summary>
    private Tensor Turn(Tensor x_THD, RmsNorm? norm)
    {
        x_THD = norm?.Forward(x_THD) ?? x_THD;
        return config.Interleaved
            ? x_THD.View(-1, x_THD.Size(1), config.HeadSize / 2, 2).Transpose().Reshape(-1, x_THD.Size(1), config.HeadSize)
            : x_THD;
    }
}
