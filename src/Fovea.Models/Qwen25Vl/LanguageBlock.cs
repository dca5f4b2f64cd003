using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Qwen25Vl;

/// <summary>One layer of the Qwen2 decoder: grouped-query attention with biased q, k, v, then a gated MLP, each behind an RMSNorm.</summary>
internal sealed class LanguageBlock(Weights w, Qwen25VlConfig config, int layer)
{
    private readonly RmsNorm inputNorm = new(w / "input_layernorm", config.HiddenSize, config.NormEpsilon);
    private readonly Linear q = new(w / "self_attn" / "q_proj", config.HiddenSize, config.HiddenSize);
    private readonly Linear k = new(w / "self_attn" / "k_proj", config.HiddenSize, (long)config.KeyValueHeads * config.HeadSize);
    private readonly Linear v = new(w / "self_attn" / "v_proj", config.HiddenSize, (long)config.KeyValueHeads * config.HeadSize);
    private readonly Linear o = new(w / "self_attn" / "o_proj", config.HiddenSize, config.HiddenSize, bias: false);
    private readonly RmsNorm attentionNorm = new(w / "post_attention_layernorm", config.HiddenSize, config.NormEpsilon);
    private readonly GatedMlp mlp = new(w / "mlp", config.HiddenSize, config.IntermediateSize, bias: false);

    /// <param name="wanted">Rows that the result is made of; null for all. The others still serve as keys and values.</param>
    public Tensor Forward(Tensor x_TE, Rotary rotary, IAttentionPlan attention, Tensor? wanted = null)
    {
        var h_TE = inputNorm.Forward(x_TE);
        var qkv = Linear.Together(h_TE, q, k, v);
        var q_THD = rotary.Apply(qkv[0].View(-1, config.Heads, config.HeadSize));
        var k_TGD = rotary.Apply(qkv[1].View(-1, config.KeyValueHeads, config.HeadSize));
        var v_TGD = qkv[2].View(-1, config.KeyValueHeads, config.HeadSize);
        var heads_TE = attention.Attend(layer, q_THD, k_TGD, v_TGD, Math.Pow(config.HeadSize, -0.5));
        if (wanted is not null)
        {
            (x_TE, heads_TE) = (x_TE.IndexSelect(0, wanted), heads_TE.IndexSelect(0, wanted));
        }

        x_TE = x_TE.Add(o.Forward(heads_TE));
        return x_TE.Add(mlp.Forward(attentionNorm.Forward(x_TE)));
    }
}
