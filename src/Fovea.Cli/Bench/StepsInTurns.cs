using System.Globalization;
using Fovea.Tensors;

namespace Fovea.Cli.Bench;

/// <summary>Training steps of ours and, where there is one, of a peer in turns, told in one line.</summary>
internal static class StepsInTurns
{
    /// <param name="what">Begins the line.</param>
    /// <param name="step">One step of ours.</param>
    /// <param name="tokens">Of one step.</param>
    /// <param name="other">Said that it is ready already; null for none.</param>
    public static string Run(string what, Func<double> step, int tokens, int warmUp, int steps, PeerProcess? other)
    {
        for (var i = 0; i < warmUp; i++)
        {
            step();
        }

        var (ours, theirs) = (new Timings(), new Timings());
        for (var i = 0; i < steps; i++)
        {
            ours.Measure(step);
            if (other?.Ask("step") is { } answer)
            {
                theirs.Add((double)answer["seconds"]!, (double)answer["cpu_seconds"]!);
            }
        }

        var line = string.Create(
            CultureInfo.InvariantCulture,
            $"{what}, {Torch.Threads} threads: {tokens / ours.Median:0} tokens/s ({ours.Median:0.000} s a step, {ours.ProcessorMedian:0.000} s of processor)");
        return other is null ? line : line + string.Create(
            CultureInfo.InvariantCulture,
            $"; PyTorch {theirs.Median:0.000} s, {theirs.ProcessorMedian:0.000} s: {theirs.Median / ours.Median:0.00} x, processor ")
            + string.Create(CultureInfo.InvariantCulture, $"{theirs.ProcessorMedian / ours.ProcessorMedian:0.00} x");
    }
}
