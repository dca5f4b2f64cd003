using Fovea.Tensors;

namespace Fovea.Bench;

/// <summary>Every kernel on the products of linear layers, in turns.</summary>
internal static class ProductBench
{
    private static readonly (int Rows, int Inner, int Columns)[] Shapes =
        [(2048, 2048, 2048), (2048, 1024, 2816), (2048, 2816, 1024), (512, 3584, 3584), (64, 2048, 2048)];

    /// <param name="types">Element types by name.</param>
    /// <param name="folder">Where measurements that choose a kernel are kept.</param>
    /// <param name="progress">Given a line for each finished product.</param>
    public static ProductResult Run(IReadOnlyList<string> types, int rounds, string folder, Action<string> progress)
    {
        var (peak, pairs) = (0.0, 0.0);
        var rows = new List<ProductRow>();
        var chosen = ProductPolicy.ForMachine(folder, DType.F32, DType.BF16, DType.F16).Choice;
        foreach (var (name, type) in ProductChoice.Types.Where(known => types.Contains(known.Name)))
        {
            var kernels = Enum.GetValues<ProductKernel>().Where(kernel => ProductKernels.Fit(type, kernel)).ToList();
            foreach (var shape in Shapes)
            {
                peak = Math.Max(peak, ProductKernels.Peak(pairs: false) / 1e9);
                pairs = Math.Max(pairs, ProductKernels.Peak(pairs: true) / 1e9);
                foreach (var form in Enum.GetValues<ProductForm>())
                {
                    var seconds = kernels.ToDictionary(kernel => kernel, _ => new List<double>());
                    for (var round = 0; round < rounds; round++)
                    {
                        foreach (var kernel in kernels)
                        {
                            seconds[kernel].Add(ProductKernels.Seconds(type, kernel, shape.Rows, shape.Inner, shape.Columns, form, times: 1));
                        }
                    }

                    var operations = 2.0 * shape.Rows * shape.Inner * shape.Columns / 1e9;
                    Dictionary<string, double> RatesBy(Func<List<double>, double> pick) =>
                        seconds.ToDictionary(pair => ProductChoice.NameOf(pair.Key), pair => Math.Round(operations / pick(pair.Value), 1));
                    var row = new ProductRow(
                        name, $"{shape.Rows} x {shape.Inner} x {shape.Columns}", form.ToString(), RatesBy(Timings.MedianOf), RatesBy(times => times.Min()));
                    rows.Add(row);
                    progress($"{row.Type} {row.Shape} {row.Form}: {string.Join(", ", row.Rates.Select(rate => $"{rate.Key} {rate.Value:0}"))} GFLOP/s");
                }
            }
        }

        return new ProductResult
        {
            Libtorch = Torch.Version,
            Threads = Torch.Threads,
            PeakFp32 = Math.Round(peak, 1),
            PeakPairs = Math.Round(pairs, 1),
            Chosen = chosen.ToString(),
            Rows = rows,
        };
    }
}
