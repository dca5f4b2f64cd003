using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>
/// Attention whose neighbouring query heads share keys and values (arXiv 2305.13245), on request with a gate on its result (arXiv 2505.06708).
/// </summary>
/// <remarks>Suffixes: T tokens, E width, H query heads, G key/value heads, D head size, L wanted rows.</remarks>
internal sealed class GroupedAttention(Weights w, DecoderShape shape, int layer) : IMixer
{
    private readonly Linear q = new(w / "q_proj", shape.Width, (shape.GatesAttention ? 2L : 1L) * shape.Heads * shape.HeadSize, shape.AttentionBias);
    private readonly Linear k = new(w / "k_proj", shape.Width, (long)shape.KeyValueHeads * shape.HeadSize, shape.AttentionBias);
    private readonly Linear v = new(w / "v_proj", shape.Width, (long)shape.KeyValueHeads * shape.HeadSize, shape.AttentionBias);
    private readonly Linear o = new(w / "o_proj", (long)shape.Heads * shape.HeadSize, shape.Width, bias: false);
    private readonly RmsNorm? qNorm = NormOfHeads(w / "q_norm", shape);
    private readonly RmsNorm? kNorm = NormOfHeads(w / "k_norm", shape);

    public Tensor Forward(Tensor h_TE, Rotary rotary, ISequencePlan sequences, Tensor? wanted_L)
    {
        var qkv = Linear.Together(h_TE, q, k, v);
        var (q_THD, gate_THD) = Queries(qkv[0]);
        q_THD = rotary.Apply(Normalise(q_THD, qNorm));
        var k_TGD = rotary.Apply(Normalise(qkv[1].View(-1, shape.KeyValueHeads, shape.HeadSize), kNorm));
        var v_TGD = qkv[2].View(-1, shape.KeyValueHeads, shape.HeadSize);
        var heads = sequences.Attend(layer, q_THD, k_TGD, v_TGD, Math.Pow(shape.HeadSize, -0.5));
        using var rows = wanted_L is null ? null : PassRows.Select(wanted_L);
        if (wanted_L is not null)
        {
            (heads, gate_THD) = (heads.IndexSelect(0, wanted_L), gate_THD?.IndexSelect(0, wanted_L));
        }

        return o.Forward(gate_THD is null ? heads : NetOps.SigmoidMul(heads, gate_THD));
    }

    private static RmsNorm? NormOfHeads(Weights w, DecoderShape shape) =>
        shape.NormalisesQueriesAndKeys ? new RmsNorm(w, shape.HeadSize, shape.NormEpsilon, shape.NormShift) : null;

    private static Tensor Normalise(Tensor x_THD, RmsNorm? norm) => norm?.Forward(x_THD) ?? x_THD;

    /// <summary>A head's query, and behind it the head's gate where there are gates.</summary>
    private (Tensor Queries, Tensor? Gates) Queries(Tensor projected)
    {
        if (!shape.GatesAttention)
        {
            return (projected.View(-1, shape.Heads, shape.HeadSize), null);
        }

        var both = projected.View(-1, shape.Heads, 2L * shape.HeadSize);
        return (both.Slice(2, 0, shape.HeadSize), both.Slice(2, shape.HeadSize, 2L * shape.HeadSize));
    }
}
