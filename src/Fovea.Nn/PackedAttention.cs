using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>A packed batch: causal attention, convolution and recurrence inside each sample, never across.</summary>
internal sealed class PackedAttention(Segments samples) : ISequencePlan
{
    public Tensor Attend(int layer, Tensor q_THD, Tensor k_TGD, Tensor v_TGD, double scale) =>
        Attention.Packed(q_THD, k_TGD, v_TGD, samples, causal: true, scale);

    public Tensor Convolve(int layer, Tensor x_TC, Tensor weight_CK) => RecurrentOps.ShortConvolution(x_TC, weight_CK, samples.Boundaries);

    public Tensor Recur(int layer, Tensor q_TJK, Tensor k_TJK, Tensor v_THV, Tensor g_TH, Tensor beta_TH) =>
        RecurrentOps.DeltaRule(q_TJK, k_TJK, v_THV, g_TH, beta_TH, samples.Boundaries);
}
