using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Generation.Engine;

/// <summary>Attention over pages by libtorch's own operators, sequence by sequence: where no kernel of ours does it at once.</summary>
/// <remarks>Suffixes: T tokens of the pass, B of one block, L tokens of a sequence, H query heads, G key/value heads, R = H / G, D head size.</remarks>
internal static class KeyValuePages
{
    // Tokens that one product handles when several follow a filled cache: bounds the mask.
    private const int BlockTokens = 64;

    private static readonly Operator IndexCopyOp = new("aten::index_copy_");

    /// <summary>Bytes of a layer's keys of one page; values have as many.</summary>
    public static long Bytes(DType dtype, long groups, long size, Device device) => EngineOptions.PageTokens * groups * size * dtype.Size();

    /// <summary>A layer's keys, or values, of so many pages: a row a page.</summary>
    public static Tensor New(DType dtype, long groups, long size, long pages, Device device) =>
        CreateOps.Zeros([pages, EngineOptions.PageTokens, groups, size], dtype, device);

    /// <summary>Writes the keys and values of the pass's tokens into their pages; then each attends to everything of its sequence up to itself.</summary>
    /// <param name="tables">Pages of each sequence [N, most].</param>
    /// <param name="offsets">First row of each sequence, and the end [N + 1].</param>
    /// <param name="past">Tokens of each sequence that were there before [N].</param>
    /// <returns>[T, H * D]</returns>
    public static Tensor Attend(
        Tensor q_THD, Tensor k_TGD, Tensor v_TGD, Tensor keys, Tensor values, ReadOnlySpan<int> tables, ReadOnlySpan<int> offsets, ReadOnlySpan<int> past,
        double scale)
    {
        var (count, width) = (past.Length, tables.Length / past.Length);
        var places = new long[offsets[^1]];
        for (var i = 0; i < count; i++)
        {
            for (var t = offsets[i]; t < offsets[i + 1]; t++)
            {
                places[t] = Place(tables.Slice(i * width, width), past[i] + t - offsets[i]);
            }
        }

        var device = q_THD.Device;
        var (allKeys, allValues) = (Flat(keys), Flat(values));
        var written = CreateOps.On(device, places);
        IndexCopyOp.Run(allKeys, 0, written, k_TGD);
        IndexCopyOp.Run(allValues, 0, written, v_TGD);
        var parts = new Tensor[count];
        for (var i = 0; i < count; i++)
        {
            var (start, end) = (offsets[i], offsets[i + 1]);
            var q = q_THD.Slice(0, start, end);
            if (past[i] == 0)
            {
                var segments = new Segments([0, end - start]).On(device);
                parts[i] = Attention.Packed(q, k_TGD.Slice(0, start, end), v_TGD.Slice(0, start, end), segments, causal: true, scale);
                continue;
            }

            var table = tables.Slice(i * width, width);
            var rows = new long[past[i] + end - start];
            for (var token = 0; token < rows.Length; token++)
            {
                rows[token] = Place(table, token);
            }

            var here = CreateOps.On(device, rows);
            parts[i] = Blocks(q, allKeys.IndexSelect(0, here), allValues.IndexSelect(0, here), past[i], scale);
        }

        return parts.Length == 1 ? parts[0] : ShapeOps.Cat(parts);
    }

    private static Tensor Flat(Tensor pages) => pages.View(-1, pages.Size(2), pages.Size(3));

    private static long Place(ReadOnlySpan<int> table, int token) =>
        ((long)table[token / EngineOptions.PageTokens] * EngineOptions.PageTokens) + (token % EngineOptions.PageTokens);

    private static Tensor Blocks(Tensor q_THD, Tensor keys_LGD, Tensor values_LGD, int past, double scale)
    {
        var tokens = (int)q_THD.Size(0);
        if (tokens == 1)
        {
            return Rows(q_THD, keys_LGD, values_LGD, null, scale);
        }

        var parts = new List<Tensor>();
        for (var start = 0; start < tokens; start += BlockTokens)
        {
            var end = Math.Min(start + BlockTokens, tokens);
            var seen = past + end;
            var mask = new bool[(end - start) * seen];
            for (var row = 0; row < end - start; row++)
            {
                mask.AsSpan(row * seen, past + start + row + 1).Fill(true);
            }

            var mask_BL = CreateOps.From(mask, end - start, seen).To(q_THD.Device);
            parts.Add(Rows(q_THD.Slice(0, start, end), keys_LGD.Slice(0, 0, seen), values_LGD.Slice(0, 0, seen), mask_BL, scale));
        }

        return ShapeOps.Cat([.. parts]);
    }

    // The R queries of a group become rows of one product with their common keys, which are therefore never repeated.
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
}
