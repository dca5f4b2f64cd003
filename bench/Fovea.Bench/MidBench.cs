using System.Text.Json.Nodes;
using Fovea.Tensors;
using Fovea.Testing;

namespace Fovea.Bench;

/// <summary>Runs the mid job: two steps that warm up, then in turns a step, the floor and, when asked, a step of the peer.</summary>
internal static class MidBench
{
    private const int WarmUp = 2;

    /// <param name="progress">Told what goes on, a line each.</param>
    public static MidResult Run(MidOptions options, Action<string> progress)
    {
        using var memory = new PeakMemory();
        using var job = new MidJob(options);
        using var peer = options.Peer ? StartPeer(options, progress) : null;
        var losses = new List<double>();
        for (var i = 0; i < WarmUp; i++)
        {
            losses.Add(job.Step());
        }

        var ready = peer?.Read();
        if (options.CachedVision)
        {
            // Fills the peer's own cache.
            peer?.Ask("cached");
        }

        var (steps, floor, theirs, theirsCached) = (new Timings(), new Timings(), new Timings(), new Timings());
        var theirLosses = new List<double>();
        var operations = 0.0;
        for (var i = 0; i < options.Steps; i++)
        {
            losses.Add(steps.Measure(job.Step));
            using (var products = new GemmFloor(job, options.DType, vision: !options.CachedVision))
            {
                floor.Measure(products.Run);
                operations = products.Operations;
            }

            if (peer?.Ask("step") is { } answer)
            {
                theirs.Add((double)answer["seconds"]!, (double)answer["cpu_seconds"]!);
                theirLosses.Add((double)answer["loss"]!);
                if (options.CachedVision)
                {
                    var cached = peer.Ask("cached");
                    theirsCached.Add((double)cached["seconds"]!, (double)cached["cpu_seconds"]!);
                }
            }

            progress($"step {i + 1} of {options.Steps}: {steps.Wall[i]:0.000} s, floor {floor.Wall[i]:0.000} s"
                + (peer is null ? string.Empty : $", peer {theirs.Wall[i]:0.000} s"));
        }

        const int tokens = MidJob.Samples * MidModel.SampleTokens;
        var result = new MidResult
        {
            Commit = Machine.Commit,
            Hardware = Machine.Describe(),
            Libtorch = Torch.Version,
            Threads = Torch.Threads,
            Dtype = options.DType == DType.BF16 ? "bf16" : "fp32",
            Recompute = options.Recompute,
            CachedVision = options.CachedVision,
            Parameters = job.Model.Ledger.Count,
            TrainableParameters = job.Model.Ledger.Trainable.Sum(p => p.Count),
            StepSecondsMedian = steps.Median,
            StepSecondsBest = steps.Best,
            StepCpuSecondsMedian = steps.ProcessorMedian,
            StepSeconds = steps.Wall,
            TokensPerSecond = tokens / steps.Best,
            TokensPerSecondMedian = tokens / steps.Median,
            FloorSeconds = floor.Median,
            FloorSecondsBest = floor.Best,
            FloorCpuSecondsMedian = floor.ProcessorMedian,
            FloorGflop = operations / 1e9,
            GemmGflopPerSecond = operations / 1e9 / floor.Best,
            StepOverFloor = steps.Median / floor.Median,
            PeakRssMib = PeakMemory.ResidentMebibytes,
            PeakAnonMib = memory.AnonymousMebibytes,
            Losses = losses,
        };
        return peer is null ? result : result with
        {
            Peer = Compare(result, theirs, theirLosses, ready!, peer.Ask("end"), tokens).With(theirsCached, steps.Median, steps.Best),
        };
    }

    private static PeerProcess StartPeer(MidOptions options, Action<string> progress)
    {
        progress("starting PyTorch and Transformers (the first time they are downloaded)");
        var dtype = options.DType == DType.BF16 ? "bf16" : "fp32";
        var attention = options.PeerAttention ?? (options.DType == DType.BF16 ? "eager" : "sdpa");
        List<string> arguments = ["train", "--serve", "--dtype", dtype, "--attention", attention, "--threads", Torch.Threads.ToString()];
        if (options.Recompute)
        {
            arguments.Add("--recompute");
        }

        return new PeerProcess("mid.py", arguments);
    }

    private static PeerResult Compare(MidResult ours, Timings theirs, List<double> losses, JsonObject ready, JsonObject end, int tokens) => new()
    {
        Torch = (string)ready["torch"]!,
        Transformers = (string)ready["transformers"]!,
        Attention = (string)ready["attention"]!,
        Recompute = ours.Recompute,
        StepSecondsMedian = theirs.Median,
        StepSecondsBest = theirs.Best,
        StepCpuSecondsMedian = theirs.ProcessorMedian,
        StepSeconds = theirs.Wall,
        TokensPerSecond = tokens / theirs.Best,
        PeakRssMib = (double)end["peak_rss_mib"]!,
        PeakAnonMib = (double)end["peak_anon_mib"]!,
        Losses = losses,
        SpeedRatioMedian = theirs.Median / ours.StepSecondsMedian,
        SpeedRatioBest = theirs.Best / ours.StepSecondsBest,
        SpeedRatioCpu = theirs.ProcessorMedian / ours.StepCpuSecondsMedian,
        MemoryRatio = ours.PeakRssMib / (double)end["peak_rss_mib"]!,
    };
}
