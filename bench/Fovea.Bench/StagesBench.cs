using System.Globalization;

namespace Fovea.Bench;

/// <summary>Runs <see cref="StagesJob"/> and, in turns, the same in PyTorch.</summary>
internal static class StagesBench
{
    /// <param name="pad">Tokens to which the peer fills samples up; 0 for none.</param>
    public static SmallResult Run(DType compute, bool moe, bool cachedVision, int steps, bool peer, int pad)
    {
        using var job = new StagesJob(compute, moe, cachedVision);
        return new StepsInTurns
        {
            Job = "minimind",
            Settings = string.Create(CultureInfo.InvariantCulture, $"{job.Model.Ledger.Count / 1e6:0.0} M parameters"),
            Step = job.Step,
            Tokens = StagesJob.Samples * StagesJob.SampleTokens,
            WarmUp = 2,
            Compute = compute,
            Peer = !peer ? null : folder =>
            {
                job.Write(folder);
                string[] arguments = ["--pad", $"{pad}"];
                return ("minimind.py", moe ? [.. arguments, "--moe"] : arguments);
            },
        }.Run(steps);
    }
}
