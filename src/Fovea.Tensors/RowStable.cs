namespace Fovea.Tensors;

/// <summary>
/// While it is open, products on the CPU give every row the same bits, whatever other rows there are: alone, in a batch, in a long prompt. For passes
/// without gradients, and for the thread that opened it.
/// </summary>
internal readonly struct RowStable : IDisposable
{
    private static readonly Operator SetOp = new("fovea::set_row_stable");
    private readonly bool before;

    private RowStable(bool before) => this.before = before;

    public static RowStable Open() => new(SetOp.Number(true) != 0);

    public void Dispose() => SetOp.Number(before);
}
