using Fovea.Tensors;

namespace Fovea.Nn.Lora;

/// <summary>
/// Which rows of a pass a part of it computes, while that is not all of them in their order: whatever belongs to a row (its adapter, its dropout) is then
/// looked up for the right one. Nests; holds on the thread that opened it, also where a block is computed again.
/// </summary>
internal sealed class PassRows : IDisposable
{
    [ThreadStatic]
    private static PassRows? current;

    private readonly PassRows? before = current;
    private readonly Func<Tensor, Tensor> narrow;
    private readonly IDisposable? adapters;
    private (Tensor All, Tensor Present)? found;

    private PassRows(Func<Tensor, Tensor> narrow, IDisposable? adapters)
    {
        (this.narrow, this.adapters) = (narrow, adapters);
        current = this;
    }

    /// <summary>From now on the rows are these of the present ones, in this order, until the result is disposed.</summary>
    /// <param name="rows">64-bit numbers.</param>
    public static IDisposable Select(Tensor rows) => new PassRows(given => given.IndexSelect(0, rows), AdapterRows.Select(rows));

    /// <summary>From now on the rows are those of a stretch of the present ones, until the result is disposed.</summary>
    public static IDisposable Slice(long from, long end) => new PassRows(given => given.Slice(0, from, end), AdapterRows.Slice(from, end));

    public void Dispose()
    {
        adapters?.Dispose();
        current = before;
    }

    /// <summary>Whether the rows are others than those of the pass now.</summary>
    internal static bool AreOthers => current is not null;

    /// <summary>Of something that every row of the pass has, what belongs to the present rows.</summary>
    internal static Tensor Narrow(Tensor all) => current?.Follow(all) ?? all;

    // Kept for the next linear of the same rows.
    private Tensor Follow(Tensor all)
    {
        if (found?.All != all)
        {
            found = (all, narrow(before?.Follow(all) ?? all).Contiguous());
        }

        return found.Value.Present;
    }
}
