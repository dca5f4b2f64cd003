using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Generation.Engine;

/// <summary>
/// A pass over the next tokens of several sequences whose earlier ones lie in pages: each layer writes their keys and values and attends to everything so
/// far, in one call. Belongs to the scope of the pass.
/// </summary>
/// <remarks>Suffixes: T tokens of the pass, N sequences, H query heads, G key/value heads, D head size.</remarks>
internal sealed class PagedAttention : IAttentionPlan
{
    private readonly PagePool pool;
    private readonly int[] offsets;
    private readonly int[] past;
    private readonly int[] tables;

    /// <param name="parts">Sequences with the pages that their tokens need.</param>
    public PagedAttention(PagePool pool, IReadOnlyList<PassPart> parts)
    {
        this.pool = pool;
        var most = parts.Max(part => part.Sequence.HeldPages);
        var (ends, before, pages) = (new int[parts.Count + 1], new int[parts.Count], new int[parts.Count * most]);
        Array.Fill(pages, -1);
        for (var i = 0; i < parts.Count; i++)
        {
            var sequence = parts[i].Sequence;
            ends[i + 1] = ends[i] + parts[i].Tokens;
            before[i] = parts[i].From;
            var table = pages.AsSpan(i * most);
            for (var page = 0; page < sequence.Nodes.Count; page++)
            {
                table[page] = sequence.Nodes[page].Page;
            }

            sequence.Own.CopyTo(table[sequence.Nodes.Count..]);
        }

        (offsets, past, tables) = (ends, before, pages);
    }

    public Tensor Attend(int layer, Tensor q_THD, Tensor k_TGD, Tensor v_TGD, double scale)
    {
        var (keys, values) = pool.Layer(layer, k_TGD);
        return KeyValuePages.Attend(q_THD, k_TGD, v_TGD, keys, values, tables, offsets, past, scale);
    }
}
