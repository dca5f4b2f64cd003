using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>One layer of a decoder of the Llama kind: grouped-query attention, then a gated MLP or a mixture of them, each behind an RMSNorm.</summary>
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
    private readonly GatedMlp? mlp = shape.Experts?.IsIn(layer) == true ? null : new(block / "mlp", shape.Width, shape.Inner, bias: false);
    private readonly SparseMlp? experts = shape.Experts is { } sparse && sparse.IsIn(layer) ? new(block / "mlp", shape.Width, sparse) : null;

    /// <param name="wanted">Rows that the result is made of; null for all. The others still serve as keys and values, and to the router's loss.</param>
    /// <param name="balance">Takes what the loss of routers is made of; null where none is wanted.</param>
    /// <param name="watch">Sees what attention and MLP add, and what the router does; for tests.</param>
    public Tensor Forward(
        Tensor x_TE, Rotary rotary, IAttentionPlan attention, Tensor? wanted = null, RouterBalance? balance = null, Action<string, Tensor>? watch = null) =>
        block.Run(x => Compute(x, rotary, attention, wanted, balance, watch), x_TE);

    private static RmsNorm? NormOfHeads(Weights w, DecoderShape shape) =>
        shape.NormalisesQueriesAndKeys ? new RmsNorm(w, shape.HeadSize, shape.NormEpsilon) : null;

    private static Tensor Normalise(Tensor x_THD, RmsNorm? norm) => norm?.Forward(x_THD) ?? x_THD;

    private Tensor Compute(
        Tensor x_TE, Rotary rotary, IAttentionPlan attention, Tensor? wanted, RouterBalance? balance, Action<string, Tensor>? watch)
    {
        var h_TE = inputNorm.Forward(x_TE);
        var qkv = Linear.Together(h_TE, q, k, v);
        var q_THD = rotary.Apply(Normalise(qkv[0].View(-1, shape.Heads, shape.HeadSize), qNorm));
        var k_TGD = rotary.Apply(Normalise(qkv[1].View(-1, shape.KeyValueHeads, shape.HeadSize), kNorm));
        var v_TGD = qkv[2].View(-1, shape.KeyValueHeads, shape.HeadSize);
        var heads_TE = attention.Attend(layer, q_THD, k_TGD, v_TGD, Math.Pow(shape.HeadSize, -0.5));

        // The router's loss is over all tokens, so then only what comes after it can be spared.
        var late = experts is not null && balance is not null ? wanted : null;
        using var rows = wanted is null || late is not null ? null : PassRows.Select(wanted);
        if (wanted is not null && late is null)
        {
            (x_TE, heads_TE) = (x_TE.IndexSelect(0, wanted), heads_TE.IndexSelect(0, wanted));
        }

        var attended = o.Forward(heads_TE);
        watch?.Invoke("mixer_out", attended);
        x_TE = Add(x_TE, attended);
        var normed_TE = attentionNorm.Forward(x_TE);
        var y_TE = mlp?.Forward(normed_TE) ?? experts!.Forward(normed_TE, balance, late, watch);
        watch?.Invoke("mlp_out", y_TE);
        return Add(late is null ? x_TE : x_TE.IndexSelect(0, late), y_TE);
    }

    private Tensor Add(Tensor x, Tensor branch) => x.Add(shape.ResidualScale == 1 ? branch : branch.Mul(shape.ResidualScale));
}
