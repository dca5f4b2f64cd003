using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Generation.Engine;

/// <summary>
/// A pass over the next tokens of several sequences whose earlier ones lie in pages and states: each layer writes their keys and values and attends to
/// everything so far, or goes on from their states, in one call. Belongs to the scope of the pass.
/// </summary>
/// <remarks>
/// Suffixes: T tokens of the pass, N sequences, H query or value heads, G key/value heads, D head size, C columns; of a recurrence J key heads, K and V sizes.
/// </remarks>
internal sealed class PagedAttention : ISequencePlan
{
    private readonly SequenceCache cache;
    private readonly Tensor offsets;
    private readonly Tensor past;
    private readonly Tensor tables;
    private readonly long[] boundaries;
    private readonly long[] slots;

    /// <param name="parts">Sequences with the pages that their tokens need.</param>
    public PagedAttention(SequenceCache cache, IReadOnlyList<PassPart> parts)
    {
        this.cache = cache;
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

        (offsets, past, tables) = (CreateOps.From(ends), CreateOps.From(before), CreateOps.From(pages, parts.Count, most));
        boundaries = Array.ConvertAll(ends, end => (long)end);
        slots = cache.States is null ? [] : [.. parts.Select(part => (long)part.Sequence.State!.Value)];
    }

    public Tensor Attend(int layer, Tensor q_THD, Tensor k_TGD, Tensor v_TGD, double scale)
    {
        var (keys, values) = cache.Pages.Layer(layer, k_TGD);
        return NetOps.AttendPages(q_THD, k_TGD, v_TGD, keys, values, tables, offsets, past, scale);
    }

    public Tensor Convolve(int layer, GatedDeltaShape shape, Tensor x_TC, Tensor weight_CK)
    {
        var rows = cache.States!.Layer(layer, x_TC.DType, x_TC.Device).Rows;
        return RecurrentOps.ConvolutionSteps(x_TC, weight_CK, boundaries, rows, slots);
    }

    public Tensor Recur(int layer, GatedDeltaShape shape, Tensor mixed_TC, Tensor g_TH, Tensor beta_TH)
    {
        var states = cache.States!.Layer(layer, mixed_TC.DType, mixed_TC.Device).States;
        var (q_TJK, k_TJK, v_THV) = shape.Parts(mixed_TC);
        return RecurrentOps.DeltaSteps(q_TJK, k_TJK, v_THV, g_TH, beta_TH, boundaries, states, slots);
    }
}
