using System.Globalization;
using Fovea.Nn.FourBit;
using Fovea.Tensors;

namespace Fovea.Bench;

/// <summary>The mid benchmark's steps over a base in 16 and in 4 bits, in turns: two that warm up, then the measured ones.</summary>
internal static class QloraBench
{
    private const int WarmUp = 2;

    public static SmallResult Run(DType compute, int steps)
    {
        var options = new MidOptions { DType = compute, Selective = true, CachedVision = true };
        using var dense = new MidJob(options);
        using var packed = new MidJob(options with { FourBit = new FourBitOptions(FourBitType.Nf4, DoubleQuantization: true) });
        var (plain, loss) = (dense.Step(), packed.Step());
        for (var i = 1; i < WarmUp; i++)
        {
            dense.Step();
            packed.Step();
        }

        var (theirs, ours) = (new Timings(), new Timings());
        for (var i = 0; i < steps; i++)
        {
            theirs.Measure(dense.Step);
            ours.Measure(packed.Step);
        }

        var weights = packed.Model.Ledger.Linears.Select(linear => linear.Weight).Where(weight => weight.Packed is not null).ToList();
        var (bytes, count) = (weights.Sum(weight => weight.Packed!.ByteCount), weights.Sum(weight => weight.Count));
        return new SmallResult("qlora", new Dictionary<string, double>
        {
            ["step_seconds_median"] = ours.Median,
            ["step_seconds_best"] = ours.Best,
            ["bits_a_weight"] = 8.0 * bytes / count,
            ["packed_mib"] = bytes / 1048576.0,
        })
        {
            Settings = string.Create(
                CultureInfo.InvariantCulture,
                $"mid, nf4, double quantisation, computing in {(compute == DType.BF16 ? "bf16" : "fp32")}; {Torch.Threads} threads; "
                + $"first loss {loss:0.0000}, {plain:0.0000} over 16 bits"),
            Libtorch = Torch.Version,
            Floors = new Dictionary<string, double>
            {
                ["step_seconds_16_bits_median"] = theirs.Median,
                ["step_over_16_bits"] = ours.Median / theirs.Median,
            },
        };
    }
}
