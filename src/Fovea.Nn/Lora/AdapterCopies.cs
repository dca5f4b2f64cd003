using Fovea.Tensors;

namespace Fovea.Nn.Lora;

/// <summary>
/// Adapters in the element type of the computation, cast once for all passes of an optimizer step where their masters are fp32. All of them lie in one
/// buffer, each kind of matrix in the order of the linears, so that those of one input are neighbours and serve as one matrix.
/// </summary>
internal sealed class AdapterCopies(Ledger ledger)
{
    // A matrix begins where kernels meet aligned memory.
    private const long Alignment = 64;

    private bool isOpen;

    /// <summary>
    /// Casts what is there all the time; what is brought together for each pass is cast in each. Weights must not change until the result is disposed.
    /// While copies are there already nothing happens.
    /// </summary>
    public IDisposable Open()
    {
        var adapters = isOpen ? [] : ledger.Adaptables.Select(adaptable => adaptable.Lora).OfType<LoraAdapter>().ToList();
        Parameter[] cast =
        [
            .. adapters.Select(adapter => adapter.A).Concat(adapters.Select(adapter => adapter.B))
                .Where(p => p.Value.DType != p.Compute && p.Holder?.IsWhole(p) != false),
        ];
        return cast.Length == 0 ? new Lease(() => { }) : Cast(cast);
    }

    /// <summary>Bytes that the copies of these matrices take together.</summary>
    /// <param name="size">Bytes of an element.</param>
    public static long Bytes(IEnumerable<long> counts, int size) => counts.Sum(Up) * size;

    /// <summary>All A, then all B, where each has a copy.</summary>
    internal static Tensor[] Of(LoraAdapter[] adapters) => Array.TrueForAll(adapters, l => l is { A.Copy: not null, B.Copy: not null })
        ? [.. adapters.Select(l => l.A.Copy!), .. adapters.Select(l => l.B.Copy!)]
        : [];

    private Lease Cast(Parameter[] cast)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("adapters");
        var buffer = CreateOps.Empty([cast.Sum(p => Up(p.Count))], cast[0].Compute, cast[0].Value.Device);
        var start = 0L;
        foreach (var parameter in cast)
        {
            parameter.Copy = buffer.Over(start, parameter.Shape).Keep();
            start += Up(parameter.Count);
        }

        MathOps.CopyAll_(Array.ConvertAll(cast, p => p.Copy!), Array.ConvertAll(cast, p => p.Value));
        isOpen = true;
        return new Lease(() =>
        {
            isOpen = false;
            foreach (var parameter in cast)
            {
                parameter.Copy!.Dispose();
                parameter.Copy = null;
            }
        });
    }

    private static long Up(long count) => (count + Alignment - 1) / Alignment * Alignment;

    private sealed class Lease(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
