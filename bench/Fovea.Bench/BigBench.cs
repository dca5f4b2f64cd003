using System.Diagnostics;
using Fovea.Tensors;

namespace Fovea.Bench;

/// <summary>Runs the 7b job on a GPU, or goes through all of it without computing (meta) and counts.</summary>
internal static class BigBench
{
    private const int WarmUp = 3;
    private const double Gib = 1L << 30;

    /// <summary>Dense bf16 products, TFLOP/s by the makers' data sheets; the first name that the GPU's contains.</summary>
    private static readonly (string Name, double Peak)[] Cards =
    [
        ("H100 PCIe", 756), ("H100 NVL", 835), ("H100", 989), ("H200", 989), ("H20", 148), ("B200", 2250),
        ("A100", 312), ("A800", 312), ("L40S", 362), ("A10", 125), ("4090", 165), ("5090", 209), ("A6000", 155),
    ];

    /// <param name="kept">Blocks that keep their activations; null for as many as the GPU's memory allows.</param>
    /// <param name="peak">The GPU's TFLOP/s, when the table does not know it.</param>
    public static BigResult Run(string device, int tokens, int steps, int? kept, double? peak, bool dryRun, Action<string> progress)
    {
        var where = dryRun ? Device.Meta : Devices.Choose(device);
        if (where.Type == DeviceType.Cpu)
        {
            throw new ConfigException("bench 7b needs a CUDA GPU, and libtorch sees none; --dry-run goes through everything without one");
        }

        var blocks = kept ?? (dryRun ? 28 : Affordable(where, tokens));
        progress(dryRun
            ? "building the model's shapes"
            : $"drawing 8.3 billion weights on {Devices.NameOf(where)}; {blocks} of 28 blocks keep their activations");
        using var job = new BigJob(where, tokens, blocks);
        var result = Counted(job, where, tokens, blocks, dryRun);
        if (dryRun)
        {
            var learned = job.DryStep();
            var expected = job.Model.Ledger.Trainable.Count();
            return learned == expected ? result : throw new InvalidOperationException($"{learned} of {expected} adapter weights received a gradient");
        }

        return Measure(job, where, tokens, steps, peak ?? PeakOf(Devices.NameOf(where)), result, progress);
    }

    /// <summary>The rate of a GPU by its name; null when the table does not know it.</summary>
    public static double? PeakOf(string card)
    {
        foreach (var (name, rate) in Cards)
        {
            if (card.Contains(name, StringComparison.OrdinalIgnoreCase))
            {
                return rate;
            }
        }

        return null;
    }

    private static BigResult Measure(BigJob job, Device device, int tokens, int steps, double? peak, BigResult result, Action<string> progress)
    {
        var losses = new List<double>();
        for (var i = 0; i < WarmUp; i++)
        {
            losses.Add(job.Step().Loss);
        }

        DeviceMemory.ResetPeak(device);
        var seconds = new List<double>();
        for (var i = 0; i < steps; i++)
        {
            var start = Stopwatch.GetTimestamp();
            losses.Add(job.Step().Loss);
            seconds.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            progress($"step {i + 1} of {steps}: {seconds[i]:0.000} s, loss {losses[^1]:0.000}");
        }

        var memory = DeviceMemory.Of(device);
        var median = Timings.MedianOf(seconds);
        var rate = result.TflopPerStep / median;
        return result with
        {
            StepSeconds = seconds,
            StepSecondsMedian = median,
            TokensPerSecond = tokens / median,
            TflopPerSecond = rate,
            PeakTflopPerSecond = peak,
            Mfu = peak is { } most ? rate / most : null,
            ProductTflopPerSecond = ProductRate(device),
            PeakMemoryGib = memory.Peak / Gib,
            Losses = losses,
        };
    }

    private static BigResult Counted(BigJob job, Device device, int tokens, int kept, bool dryRun)
    {
        var (count, model) = (job.Count, job.Model);
        var inputs = (model.Layers - kept) * tokens * model.Head.Shape[1] * 2.0;
        return new BigResult
        {
            Commit = Machine.Commit,
            Hardware = Machine.Describe(),
            Device = dryRun ? "meta" : Devices.NameOf(device),
            Libtorch = Torch.Version,
            CudaSupport = Devices.CudaSupport,
            DryRun = dryRun,
            Tokens = tokens,
            TrainedTokens = job.Batch.LossIndex.Length,
            Parameters = model.Ledger.Count,
            TrainableParameters = model.Ledger.Trainable.Sum(p => p.Count),
            KeptBlocks = kept,
            TflopPerStep = count.Flop / 1e12,
            WeightGib = count.WeightBytes / Gib,
            AdapterGib = count.AdapterBytes / Gib,
            ActivationGibPerBlock = count.BlockBytes / Gib,
            CountedGib = (count.WeightBytes + count.AdapterBytes + ((double)kept * count.BlockBytes) + (kept < model.Layers ? count.BlockBytes : 0) + inputs
                + count.LogitBytes) / Gib,
        };
    }

    /// <summary>As many blocks as fit beside the weights, with a tenth of the GPU to spare.</summary>
    private static int Affordable(Device device, int tokens)
    {
        using var shapes = new BigJob(Device.Meta, tokens, kept: 0);
        var room = (DeviceMemory.Of(device).Free * 0.9) - shapes.Count.WeightBytes - shapes.Count.AdapterBytes - (2 * shapes.Count.BlockBytes);
        return (int)Math.Clamp(room / shapes.Count.BlockBytes, 0, shapes.Model.Layers);
    }

    private static double ProductRate(Device device)
    {
        const int size = 8192;
        const int rounds = 10;
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("step");
        var a = CreateOps.Empty([size, size], DType.BF16, device).Normal_(0, 1);
        var b = CreateOps.Empty([size, size], DType.BF16, device).Normal_(0, 1);
        _ = a.MatMul(b);
        Devices.Synchronize(device);
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < rounds; i++)
        {
            using var inner = TensorScope.Open("block");
            _ = a.MatMul(b);
        }

        Devices.Synchronize(device);
        return 2.0 * size * size * size * rounds / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e12;
    }
}
