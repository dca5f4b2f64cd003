using System.Globalization;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Bench;

/// <summary>Runs <see cref="HybridJob"/>: two steps that warm up, then in turns a step and its floor.</summary>
internal static class HybridBench
{
    private const int WarmUp = 2;

    public static SmallResult Run(DType compute, bool selective, int steps)
    {
        using var job = new HybridJob(compute, selective ? BlockMode.Selective : BlockMode.Keep);
        var loss = job.Step();
        for (var i = 1; i < WarmUp; i++)
        {
            job.Step();
        }

        var (ours, floor) = (new Timings(), new Timings());
        for (var i = 0; i < steps; i++)
        {
            ours.Measure(job.Step);
            using var products = new HybridFloor(job, compute);
            floor.Measure(products.Run);
        }

        var figures = new Dictionary<string, double>
        {
            ["step_seconds_median"] = ours.Median,
            ["step_seconds_best"] = ours.Best,
            ["tokens_per_second_median"] = HybridJob.Samples * HybridJob.SampleTokens / ours.Median,
            ["peak_rss_mib"] = PeakMemory.ResidentMebibytes,
        };
        return new SmallResult("hybrid", figures)
        {
            Settings = string.Create(
                CultureInfo.InvariantCulture,
                $"{job.Model.Ledger.Count / 1e6:0.0} M parameters, {(compute == DType.BF16 ? "bf16" : "fp32")}; {Torch.Threads} threads; "
                    + $"first loss {loss:0.0000}"),
            Libtorch = Torch.Version,
            Floors = new Dictionary<string, double>
            {
                ["products_seconds_median"] = floor.Median,
                ["step_over_products"] = ours.Median / floor.Median,
            },
        };
    }
}
