using System.Globalization;
using Fovea.Tensors;

namespace Fovea.Cli.Bench;

/// <summary>Runs <see cref="StagesJob"/> and, in turns, the same in PyTorch.</summary>
public static class StagesBench
{
    private const int WarmUp = 2;

    /// <param name="pad">Tokens to which the peer fills samples up; 0 for none.</param>
    /// <returns>One line of results.</returns>
    public static string Run(DType compute, bool moe, bool cachedVision, int steps, bool peer, int pad)
    {
        var dtype = compute == DType.BF16 ? "bf16" : "fp32";
        using var job = new StagesJob(compute, moe, cachedVision);
        List<string> arguments = ["--dtype", dtype, "--pad", $"{pad}", "--threads", $"{Torch.Threads}"];
        if (moe)
        {
            arguments.Add("--moe");
        }

        using var other = peer ? new PeerProcess("minimind.py", arguments) : null;
        other?.Read();
        for (var i = 0; i < WarmUp; i++)
        {
            job.Step();
        }

        var (ours, theirs) = (new Timings(), new Timings());
        for (var i = 0; i < steps; i++)
        {
            ours.Measure(job.Step);
            if (other?.Ask("step") is { } answer)
            {
                theirs.Add((double)answer["seconds"]!, (double)answer["cpu_seconds"]!);
            }
        }

        const int tokens = StagesJob.Samples * StagesJob.SampleTokens;
        var line = string.Create(
            CultureInfo.InvariantCulture,
            $"{job.Model.Ledger.Count / 1e6:0.0} M parameters, {dtype}, {Torch.Threads} threads: {tokens / ours.Median:0} tokens/s")
            + string.Create(CultureInfo.InvariantCulture, $" ({ours.Median:0.000} s a step, {ours.ProcessorMedian:0.000} s of processor)");
        return other is null ? line : line + string.Create(
            CultureInfo.InvariantCulture,
            $"; PyTorch {theirs.Median:0.000} s, {theirs.ProcessorMedian:0.000} s: {theirs.Median / ours.Median:0.00} x, processor ")
            + string.Create(CultureInfo.InvariantCulture, $"{theirs.ProcessorMedian / ours.ProcessorMedian:0.00} x");
    }
}
