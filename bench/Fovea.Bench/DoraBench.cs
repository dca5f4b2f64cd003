using System.Globalization;
using Fovea.Tensors;

namespace Fovea.Bench;

/// <summary>The mid benchmark's steps with magnitudes beside its adapters and without, in turns: two that warm up, then the measured ones.</summary>
internal static class DoraBench
{
    private const int WarmUp = 2;

    public static SmallResult Run(DType compute, int steps)
    {
        var options = new MidOptions { DType = compute, Selective = true, CachedVision = true };
        using var lora = new MidJob(options);
        using var dora = new MidJob(options with { Decomposed = true });
        var (plain, loss) = (lora.Step(), dora.Step());
        for (var i = 1; i < WarmUp; i++)
        {
            lora.Step();
            dora.Step();
        }

        var (theirs, ours) = (new Timings(), new Timings());
        for (var i = 0; i < steps; i++)
        {
            theirs.Measure(lora.Step);
            ours.Measure(dora.Step);
        }

        return new SmallResult("dora", new Dictionary<string, double>
        {
            ["step_seconds_median"] = ours.Median,
            ["step_seconds_best"] = ours.Best,
        })
        {
            Settings = string.Create(
                CultureInfo.InvariantCulture,
                $"mid, rank 8, computing in {(compute == DType.BF16 ? "bf16" : "fp32")}; {Torch.Threads} threads; "
                + $"first loss {loss:0.0000}, {plain:0.0000} with LoRA"),
            Libtorch = Torch.Version,
            Floors = new Dictionary<string, double>
            {
                ["step_seconds_lora_median"] = theirs.Median,
                ["step_seconds_lora_best"] = theirs.Best,
                ["step_over_lora"] = ours.Median / theirs.Median,
            },
        };
    }
}
