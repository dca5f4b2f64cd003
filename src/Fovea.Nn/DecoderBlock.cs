using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>One layer of a decoder of the Llama kind: grouped-query attention, then a gated MLP, each behind an RMSNorm.</summary>
/// <remarks>Suffixes: T tokens, E width, H query heads, G key/value heads, D head size.</remarks>
internal sealed class DecoderBlock(Block block, DecoderShape shape, int layer)
{
    private readonly RmsNorm inputNorm = new(block / "input_layernorm", shape.Width, shape.NormEpsilon);
    private readonly Linear q = new(block / "self_attn" / "q_proj", shape.Width, (long)shape.Heads * shape.HeadSize, shape.AttentionBias);
    private readonly Linear k = new(block / "self_attn" / "k_proj", shape.Width, (long)shape.KeyValueHeads * shape.HeadSize, shape.AttentionBias);
    private readonly Linear v = new(block / "self_attn" / "v_proj", shape.Width, (long)shape.KeyValueHeads * shape.HeadSize, shape.AttentionBias);
    private readonly Linear o = new(block / "self_attn" / "o_proj", (long)shape.Heads * shape.HeadSize, shape.Width, bias: false);
    private readonly RmsNorm? qNorm = NormOfHeads(block / "self_attn" / "q_norm", shape);
    private readonly RmsNorm? kNorm = NormOfHeads(block / "self_attn" / "k_norm", shape);
    private readonly RmsNorm attentionNorm = new(block / "post_attention_layernorm", shape.Width, shape.NormEpsilon);
    private readonly GatedMlp mlp = new(block / "mlp", shape.Width, shape.Inner, bias: false);

    /// <param name="wanted">Rows that the result is made of; null for all. The others still serve as keys and values.</param>
    public Tensor Forward(Tensor x_TE, Rotary rotary, ISequencePlan attention, Tensor? wanted = null) =>
        block.Run(x => Compute(x, rotary, attention, wanted), x_TE);

    private static RmsNorm? NormOfHeads(Weights w, DecoderShape shape) =>
        shape.NormalisesQueriesAndKeys ? new RmsNorm(w, shape.HeadSize, shape.NormEpsilon) : null;

    private static Tensor Normalise(Tensor x_THD, RmsNorm? norm) => norm?.Forward(x_THD) ?? x_THD;

    private Tensor Compute(Tensor x_TE, Rotary rotary, ISequencePlan attention, Tensor? wanted)
    {
        var h_TE = inputNorm.Forward(x_TE);
        var qkv = Linear.Together(h_TE, q, k, v);
        var q_THD = rotary.Apply(Normalise(qkv[0].View(-1, shape.Heads, shape.HeadSize), qNorm));
        var k_TGD = rotary.Apply(Normalise(qkv[1].View(-1, shape.KeyValueHeads, shape.HeadSize), kNorm));
        var v_TGD = qkv[2].View(-1, shape.KeyValueHeads, shape.HeadSize);
        var heads_TE = attention.Attend(layer, q_THD, k_TGD, v_TGD, Math.Pow(shape.HeadSize, -0.5));
        using var rows = wanted is null ? null : AdapterRows.Select(wanted);
        if (wanted is not null)
        {
            (x_TE, heads_TE) = (x_TE.IndexSelect(0, wanted), heads_TE.IndexSelect(0, wanted));
        }

        x_TE = Add(x_TE, o.Forward(heads_TE));
        return Add(x_TE, mlp.Forward(attentionNorm.Forward(x_TE)));
    }

    private Tensor Add(Tensor x, Tensor branch) => x.Add(shape.ResidualScale == 1 ? branch : branch.Mul(shape.ResidualScale));
}
