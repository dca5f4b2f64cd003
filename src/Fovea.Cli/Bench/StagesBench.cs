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
        var what = string.Create(CultureInfo.InvariantCulture, $"{job.Model.Ledger.Count / 1e6:0.0} M parameters, {dtype}");
        return StepsInTurns.Run(what, job.Step, StagesJob.Samples * StagesJob.SampleTokens, WarmUp, steps, other);
    }
}
