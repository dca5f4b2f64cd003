using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>A packed batch: causal attention, convolution and recurrence inside each sample, never across.</summary>
internal sealed class PackedAttention(Segments samples) : ISequencePlan
{
    public Tensor Attend(int layer, Tensor q_THD, Tensor k_TGD, Tensor v_TGD, double scale) =>
        Attention.Packed(q_THD, k_TGD, v_TGD, samples, causal: true, scale);

    public Tensor Convolve(int layer, GatedDeltaShape shape, Tensor x_TC, Tensor weight_CK) =>
        RecurrentOps.ShortConvolution(x_TC, weight_CK, samples.Boundaries);

    public Tensor Recur(int layer, GatedDeltaShape shape, Tensor mixed_TC, Tensor g_TH, Tensor beta_TH) =>
        RecurrentOps.DeltaRuleMixed(mixed_TC, g_TH, beta_TH, shape.KeyHeads, shape.KeySize, samples.Boundaries);
}
