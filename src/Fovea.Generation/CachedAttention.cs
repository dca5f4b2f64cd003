using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Generation;

/// <summary>
/// One pass over the next tokens of a sequence whose earlier ones lie in a cache: each layer appends its keys and values and attends to everything so far.
/// Make it inside the pass's scope, to which its mask belongs, and call <see cref="Complete"/> when the pass is through.
/// </summary>
/// <remarks>
/// Suffixes: T tokens of this pass, L tokens so far and of this pass, H query heads, G key/value heads, R = H / G, D head size, B tokens of one block.
/// The R queries of a group become rows of one product with their common keys, which are therefore never repeated.
/// </remarks>
internal sealed class CachedAttention : IAttentionPlan
{
    /// <summary>Tokens that one product handles when several follow a filled cache: bounds the mask.</summary>
    private const int BlockTokens = 64;

    private readonly KeyValueCache cache;
    private readonly int tokens;
    private readonly int past;
    private readonly Tensor? stairs;
    private readonly CancellationToken cancel;

    /// <param name="cache">Holds the earlier tokens.</param>
    /// <param name="tokens">How many tokens this pass brings.</param>
    /// <param name="device">Where the model computes.</param>
    /// <param name="cancel">Looked at before every layer; the cache is then as before the pass.</param>
    public CachedAttention(KeyValueCache cache, int tokens, Device device, CancellationToken cancel = default)
    {
        (this.cache, this.tokens, this.cancel) = (cache, tokens, cancel);
        past = cache.Length;
        stairs = past > 0 && tokens > 1 ? Stairs().To(device) : null;
    }

    private int LastBlock => (tokens - 1) / BlockTokens * BlockTokens;

    public Tensor Attend(int layer, Tensor q_THD, Tensor k_TGD, Tensor v_TGD, double scale)
    {
        cancel.ThrowIfCancellationRequested();
        if (q_THD.Size(0) != tokens)
        {
            throw new ArgumentException($"the pass was announced with {tokens} tokens, not {q_THD.Size(0)}");
        }

        if (tokens == 1 && q_THD.Device.Type == DeviceType.Cpu && q_THD.DType is (DType.F32 or DType.BF16))
        {
            var (keys_CGD, values_CGD) = cache.RoomForNext(layer, k_TGD, v_TGD);
            return NetOps.AttendNext(q_THD, k_TGD, v_TGD, keys_CGD, values_CGD, past, scale);
        }

        var (keys_LGD, values_LGD) = cache.Store(layer, k_TGD, v_TGD);
        if (tokens == 1)
        {
            return Rows(q_THD, keys_LGD, values_LGD, null, scale);
        }

        return past == 0
            ? Attention.Packed(q_THD, k_TGD, v_TGD, new Segments([0, tokens]), causal: true, scale)
            : Blocks(q_THD, keys_LGD, values_LGD, scale);
    }

    /// <summary>All layers have attended: the tokens count from now on.</summary>
    public void Complete() => cache.Advance(tokens);

    private Tensor Blocks(Tensor q_THD, Tensor keys_LGD, Tensor values_LGD, double scale)
    {
        var parts = new List<Tensor>();
        for (var start = 0; start < tokens; start += BlockTokens)
        {
            var end = Math.Min(start + BlockTokens, tokens);
            var seen = past + end;
            var shift = LastBlock - start;
            var mask_BL = stairs!.Slice(0, 0, end - start).Slice(1, shift, shift + seen);
            parts.Add(Rows(q_THD.Slice(0, start, end), keys_LGD.Slice(0, 0, seen), values_LGD.Slice(0, 0, seen), mask_BL, scale));
        }

        return ShapeOps.Cat([.. parts]);
    }

    private static Tensor Rows(Tensor q_BHD, Tensor keys_LGD, Tensor values_LGD, Tensor? mask_BL, double scale)
    {
        var (block, heads, size, groups) = (q_BHD.Size(0), q_BHD.Size(1), q_BHD.Size(2), keys_LGD.Size(1));
        var repeats = heads / groups;
        var q_1GRD = q_BHD.Reshape(block, groups, repeats, size).Permute(1, 2, 0, 3).Reshape(1, groups, repeats * block, size);
        var mask = mask_BL?.Unsqueeze(0).Expand(repeats, block, keys_LGD.Size(0)).Reshape(repeats * block, keys_LGD.Size(0));
        var mixed = NetOps.ScaledDotProductAttention(
            q_1GRD, keys_LGD.Transpose(0, 1).Unsqueeze(0), values_LGD.Transpose(0, 1).Unsqueeze(0), causal: false, scale, mask: mask);
        return mixed.Reshape(groups, repeats, block, size).Permute(2, 0, 1, 3).Reshape(block, heads * size);
    }

    /// <summary>Which keys the tokens of the last block see; earlier blocks take the same stairs further to the right, where fewer keys are left.</summary>
    private Tensor Stairs()
    {
        var before = past + LastBlock;
        var width = before + BlockTokens;
        var seen = new bool[BlockTokens * width];
        for (var row = 0; row < BlockTokens; row++)
        {
            seen.AsSpan(row * width, before + row + 1).Fill(true);
        }

        return CreateOps.From(seen, BlockTokens, width);
    }
}
