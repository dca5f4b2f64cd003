namespace Fovea.Tensors;

/// <summary>
/// Until it is disposed, everything that this thread computes on the CPU without gradients gives a row the same bits alone and among others: what a model
/// says of a token then depends neither on the rest of a batch nor on how its prompt was cut. Products take our own kernels, whatever was chosen for them.
/// </summary>
internal readonly struct RowStable : IDisposable
{
    private static readonly Operator SetOp = new("fovea::set_row_stable");

    [ThreadStatic]
    private static bool open;

    private readonly bool before;

    private RowStable(bool wanted)
    {
        before = SetOp.Number(wanted) == 1;
        open = wanted;
    }

    public static bool IsOpen => open;

    public static RowStable Open() => new(true);

    public void Dispose()
    {
        _ = SetOp.Number(before);
        open = before;
    }

    /// <summary>Whether what is computed from x now has to be so.</summary>
    internal static bool Serves(Tensor x) => open && x.Device.Type == DeviceType.Cpu;
}
