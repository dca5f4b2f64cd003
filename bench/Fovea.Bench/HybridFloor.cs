using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Bench;

/// <summary>
/// The time that the matrix products of the linears and the head of one <see cref="HybridJob"/> step need by themselves: forward, and back to their inputs,
/// as nothing but adapters learns. Attention and the recurrence count as nothing here.
/// </summary>
internal sealed class HybridFloor : IDisposable
{
    private static readonly Operator MmOut = new("aten::mm", "out");

    private readonly List<(Tensor A, Tensor B, Tensor Into)> products = [];
    private readonly Dictionary<(long, long), Tensor> memory = [];
    private readonly DType dtype;

    public HybridFloor(HybridJob job, DType dtype)
    {
        this.dtype = dtype;
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("floor");
        const long tokens = HybridJob.Samples * HybridJob.SampleTokens;
        foreach (var linear in job.Model.Ledger.Linears.Where(linear => linear.Path.Contains(".layers.", StringComparison.Ordinal)))
        {
            Add(linear.Weight, tokens);
        }

        Add(job.Model.Head, tokens - HybridJob.Samples);
    }

    /// <summary>All products once.</summary>
    public void Run()
    {
        using var grad = Autograd.NoGrad();
        foreach (var (a, b, into) in products)
        {
            MmOut.Run(a, b, into);
        }
    }

    public void Dispose()
    {
        products.ForEach(product => product.B.Dispose());
        foreach (var tensor in memory.Values)
        {
            tensor.Dispose();
        }
    }

    private void Add(Parameter weight, long rows)
    {
        var value = weight.Value;
        var (outputs, inputs) = (value.Size(0), value.Size(1));
        products.Add((Memory(rows, inputs), value.Detach().Transpose(0, 1).Keep(), Memory(rows, outputs)));
        products.Add((Memory(rows, outputs), value.Detach().Keep(), Memory(rows, inputs)));
    }

    /// <summary>Products of one shape share their memory, which is written here so that no page is missing later.</summary>
    private Tensor Memory(long rows, long columns)
    {
        if (!memory.TryGetValue((rows, columns), out var tensor))
        {
            memory.Add((rows, columns), tensor = CreateOps.Full([rows, columns], 0.01, dtype).Keep());
        }

        return tensor;
    }
}
