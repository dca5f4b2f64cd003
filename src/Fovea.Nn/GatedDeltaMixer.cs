using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>
/// Gated DeltaNet (arXiv 2412.06464) as Qwen3-Next and Qwen3.5 have it in place of attention: a short convolution, the gated delta rule, and a norm of each
/// head that a gate closes.
/// </summary>
/// <remarks>Suffixes: T tokens, L wanted rows, E width, C columns of the convolution, J key heads, H value heads, K and V their sizes.</remarks>
/// <param name="w">Holds in_proj_*, conv1d, A_log, dt_bias, norm and out_proj.</param>
/// <param name="layer">Which layer it is, from 0.</param>
internal sealed class GatedDeltaMixer(Weights w, GatedDeltaShape shape, int layer) : IMixer
{
    private readonly Linear qkv = new(w / "in_proj_qkv", shape.Width, (2 * shape.Keys) + shape.Values, bias: false);
    private readonly Linear z = new(w / "in_proj_z", shape.Width, shape.Values, bias: false);
    private readonly Linear b = new(w / "in_proj_b", shape.Width, shape.ValueHeads, bias: false);
    private readonly Linear a = new(w / "in_proj_a", shape.Width, shape.ValueHeads, bias: false);
    private readonly Parameter convolution = (w / "conv1d").Take("weight", (2 * shape.Keys) + shape.Values, 1, shape.ConvolutionLength);
    private readonly Parameter decay = w.Take("A_log", shape.ValueHeads);
    private readonly Parameter step = w.Take("dt_bias", shape.ValueHeads);
    private readonly GatedRmsNorm norm = new(w / "norm", shape.ValueSize, shape.NormEpsilon);
    private readonly Ledger ledger = w.Ledger;
    private readonly Linear output = new(w / "out_proj", shape.Values, shape.Width, bias: false);

    /// <param name="x_TE">Behind the block's norm.</param>
    /// <param name="sequence">Who comes after whom.</param>
    /// <param name="wanted_L">64-bit rows that the result is made of; null for all. The others still change the state.</param>
    /// <param name="watch">Sees what lies between the parts; for tests.</param>
    /// <returns>[T, E] or [L, E]</returns>
    public Tensor Forward(Tensor x_TE, ISequencePlan sequence, Tensor? wanted_L = null, Action<string, Tensor>? watch = null)
    {
        var together = Linear.Together(x_TE, qkv, z, b, a);
        var mixed_TC = sequence.Convolve(layer, shape, together[0], convolution.Use().View(-1, shape.ConvolutionLength));
        var (g_TH, beta_TH) = RecurrentOps.DeltaGates(together[3], together[2], decay.Value, step.Value);
        var core_THV = sequence.Recur(layer, shape, mixed_TC, g_TH, beta_TH);
        if (ledger.Meter is { OnHost: false } meter)
        {
            meter.NoteWorking(
                RecurrentOps.DeltaWorkspace((int)x_TE.Size(0), shape.KeyHeads, shape.ValueHeads, shape.KeySize, shape.ValueSize));
        }

        if (watch is not null)
        {
            watch("conv_out", mixed_TC);
            watch("g", g_TH);
            watch("beta", beta_TH);
            watch("core_out", core_THV);
            watch("z", together[1]);
        }

        using var rows = wanted_L is null ? null : PassRows.Select(wanted_L);
        var gate_TC = together[1];
        if (wanted_L is not null)
        {
            (core_THV, gate_TC) = (core_THV.IndexSelect(0, wanted_L), gate_TC.IndexSelect(0, wanted_L));
        }

        var gated_TC = norm.Forward(core_THV, gate_TC);
        watch?.Invoke("norm_out", gated_TC);
        return output.Forward(gated_TC);
    }

    Tensor IMixer.Forward(Tensor h_TE, Rotary rotary, ISequencePlan sequences, Tensor? wanted_L) => Forward(h_TE, sequences, wanted_L);
}
