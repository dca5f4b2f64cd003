namespace Fovea.Tensors;

/// <summary>How fast each kernel multiplied matrices of one element type on this machine, and which one that speaks for.</summary>
/// <param name="Gflops">Billions of operations a second over the three products of a linear layer, by kernel; 0: given up as too slow.</param>
internal sealed record ProductRates(IReadOnlyDictionary<ProductKernel, double> Gflops)
{
    // What another kernel must be faster by: below that, a repeated measurement could choose otherwise.
    private const double Margin = 1.05;
    private const double TooSlow = 3;
    private const int Rows = 512, Inner = 1024, Columns = 1536, Rounds = 3;

    public ProductKernel Fastest(ProductKernel rule)
    {
        var best = Gflops.MaxBy(rate => rate.Value);
        return best.Value > Gflops.GetValueOrDefault(rule) * Margin ? best.Key : rule;
    }

    /// <summary>Takes about a third of a second: kernels in turns, so that a busy machine slows all of them down, and the best time of each.</summary>
    public static ProductRates Measure(DType type)
    {
        var kernels = Enum.GetValues<ProductKernel>().Where(kernel => ProductKernels.Fit(type, kernel)).ToList();
        var forms = Enum.GetValues<ProductForm>();
        var best = kernels.ToDictionary(kernel => kernel, _ => forms.Select(_ => double.PositiveInfinity).ToArray());
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var form in forms)
            {
                foreach (var kernel in kernels.ToList())
                {
                    var seconds = ProductKernels.Seconds(type, kernel, Rows, Inner, Columns, form, times: 1);
                    best[kernel][(int)form] = Math.Min(best[kernel][(int)form], seconds);
                    if (seconds > TooSlow * best.Values.Min(times => times[(int)form]))
                    {
                        // libtorch's own products of a type that it multiplies number by number would take the time of all others together.
                        kernels.Remove(kernel);
                    }
                }
            }
        }

        const double operations = 2.0 * Rows * Inner * Columns / 1e9;
        return new ProductRates(best.ToDictionary(pair => pair.Key, pair => kernels.Contains(pair.Key) ? forms.Length * operations / pair.Value.Sum() : 0));
    }
}
