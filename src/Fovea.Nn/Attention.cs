using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>Attention over packed tokens: block-diagonal by segment, never across.</summary>
/// <remarks>Suffixes: T tokens, H query heads, G key/value heads, D head size, N segments of one length, L that length.</remarks>
internal static class Attention
{
    /// <param name="q_THD">Queries.</param>
    /// <param name="k_TGD">Keys; H is a multiple of G, neighbouring queries share a key head.</param>
    /// <param name="v_TGD">Values.</param>
    /// <param name="segments">Who sees whom.</param>
    /// <param name="causal">Whether a token sees only itself and earlier ones of its segment.</param>
    /// <param name="scale">Factor on the scores, usually D^-0.5.</param>
    /// <returns>[T, H * D]</returns>
    public static Tensor Packed(Tensor q_THD, Tensor k_TGD, Tensor v_TGD, Segments segments, bool causal, double scale)
    {
        var (heads, size) = (q_THD.Size(1), q_THD.Size(2));
        return NetOps.PackedAttention(q_THD, k_TGD, v_TGD, segments.Boundaries, causal, scale, segments.OffsetsOn(q_THD.Device)).Reshape(-1, heads * size);
    }
}
