using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>Causal attention inside each sample of a packed batch.</summary>
internal sealed class PackedAttention(Segments samples) : IAttentionPlan
{
    public Tensor Attend(int layer, Tensor q_THD, Tensor k_TGD, Tensor v_TGD, double scale) =>
        Attention.Packed(q_THD, k_TGD, v_TGD, samples, causal: true, scale);
}
