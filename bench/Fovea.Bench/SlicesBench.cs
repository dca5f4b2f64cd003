using System.Globalization;
using Fovea.Tensors;

namespace Fovea.Bench;

/// <summary>Runs <see cref="SlicesJob"/> and, in turns, the same in PyTorch.</summary>
internal static class SlicesBench
{
    /// <param name="depth">Blocks of the language model, and of the tower.</param>
    /// <param name="attention">The peer's: eager or sdpa; null for the faster one.</param>
    /// <param name="trace">File for a trace of the last step of ours; null for none.</param>
    public static SmallResult Run(
        DType compute, int depth, bool lora, bool frozenTower, bool cachedVision, int steps, bool peer, string? attention, string? trace)
    {
        using var job = new SlicesJob(compute, depth, lora, frozenTower, cachedVision);
        var trained = job.Model.Ledger.Trainable.Sum(p => p.Count);
        var result = new StepsInTurns
        {
            Job = "minicpm",
            Settings = string.Create(CultureInfo.InvariantCulture, $"{job.Model.Ledger.Count / 1e6:0.0} M parameters, {trained / 1e6:0.0} M trained"),
            Step = job.Step,
            Tokens = SlicesJob.Samples * SlicesJob.SampleTokens,
            WarmUp = 1,
            Compute = compute,
            Peer = !peer ? null : folder =>
            {
                job.Write(folder);
                List<string> arguments = ["--depth", $"{depth}", "--attention", attention ?? (compute == DType.BF16 ? "eager" : "sdpa")];
                arguments.AddRange(lora ? ["--lora"] : []);
                arguments.AddRange(frozenTower ? ["--frozen-tower"] : []);
                return ("minicpm.py", arguments);
            },
        }.Run(steps);
        if (trace is not null)
        {
            Nn.Profile.Start();
            job.Step();
            Nn.Profile.Stop(trace);
        }

        return result;
    }
}
