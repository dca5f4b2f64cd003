using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>Attention over packed tokens: block-diagonal by segment, never across.</summary>
/// <remarks>Suffixes: T tokens, H query heads, G key/value heads, D head size, N segments of one length, L that length.</remarks>
public static class Attention
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
        var heads = q_THD.Size(1);
        var size = q_THD.Size(2);
        if (q_THD.Device.Type == DeviceType.Cpu)
        {
            return NetOps.PackedAttention(q_THD, k_TGD, v_TGD, segments.Boundaries, causal, scale).View(-1, heads * size);
        }

        var parts = new Tensor[segments.Runs.Count];
        for (var i = 0; i < parts.Length; i++)
        {
            var (start, length, count) = segments.Runs[i];
            var q_NHLD = Batched(q_THD, start, length, count);
            var k_NHLD = Repeated(Batched(k_TGD, start, length, count), heads);
            var v_NHLD = Repeated(Batched(v_TGD, start, length, count), heads);
            parts[i] = NetOps.ScaledDotProductAttention(q_NHLD, k_NHLD, v_NHLD, causal, scale)
                .Transpose(1, 2).Reshape((long)length * count, heads * size);
        }

        return parts.Length == 1 ? parts[0] : ShapeOps.Cat(parts);
    }

    /// <summary>[T, H, D] rows start .. as [N, H, L, D], a view.</summary>
    private static Tensor Batched(Tensor x, int start, int length, int count) =>
        x.Slice(0, start, start + ((long)length * count)).Reshape(count, length, x.Size(1), x.Size(2)).Transpose(1, 2);

    private static Tensor Repeated(Tensor x_NGLD, long heads)
    {
        var (groups, length, size) = (x_NGLD.Size(1), x_NGLD.Size(2), x_NGLD.Size(3));
        return groups == heads
            ? x_NGLD
            : x_NGLD.Unsqueeze(2).Expand(x_NGLD.Size(0), groups, heads / groups, length, size).Reshape(x_NGLD.Size(0), heads, length, size);
    }
}
