using System.Globalization;
using Fovea.Tensors;

namespace Fovea.Cli.Bench;

/// <summary>Runs <see cref="SlicesJob"/> and, in turns, the same in PyTorch.</summary>
public static class SlicesBench
{
    private const int WarmUp = 1;

    /// <param name="depth">Blocks of the language model, and of the tower.</param>
    /// <param name="attention">The peer's: eager or sdpa; null for the faster one.</param>
    /// <param name="trace">File for a trace of the last step of ours; null for none.</param>
    /// <returns>One line of results.</returns>
    public static string Run(
        DType compute, int depth, bool lora, bool frozenTower, bool cachedVision, int steps, bool peer, string? attention, string? trace)
    {
        var dtype = compute == DType.BF16 ? "bf16" : "fp32";
        using var job = new SlicesJob(compute, depth, lora, frozenTower, cachedVision);
        List<string> arguments =
        [
            "--dtype", dtype, "--depth", $"{depth}", "--threads", $"{Torch.Threads}", "--attention", attention ?? (compute == DType.BF16 ? "eager" : "sdpa"),
        ];
        if (lora)
        {
            arguments.Add("--lora");
        }

        if (frozenTower)
        {
            arguments.Add("--frozen-tower");
        }

        using var other = peer ? new PeerProcess("minicpm.py", arguments) : null;
        other?.Read();
        var trained = job.Model.Ledger.Trainable.Sum(p => p.Count);
        var what = string.Create(CultureInfo.InvariantCulture, $"{job.Model.Ledger.Count / 1e6:0.0} M parameters, {trained / 1e6:0.0} M trained, {dtype}");
        var line = StepsInTurns.Run(what, job.Step, SlicesJob.Samples * SlicesJob.SampleTokens, WarmUp, steps, other);
        if (trace is not null)
        {
            Nn.Profile.Start();
            job.Step();
            Nn.Profile.Stop(trace);
        }

        return line;
    }
}
