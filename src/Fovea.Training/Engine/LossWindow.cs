using System.Diagnostics;

namespace Fovea.Training.Engine;

/// <summary>Adds up what happened since the last log line.</summary>
public sealed class LossWindow
{
    private readonly Stopwatch watch = Stopwatch.StartNew();
    private double losses;
    private int steps;
    private long tokens;

    public void Add(double loss, long stepTokens)
    {
        losses += loss;
        steps++;
        tokens += stepTokens;
    }

    /// <summary>Tokens a second since the last log line.</summary>
    public double TokensPerSecond => tokens / Math.Max(1e-9, watch.Elapsed.TotalSeconds);

    /// <summary>Mean loss and tokens a second since the last call, and begins anew.</summary>
    public (double Loss, double TokensPerSecond) Take()
    {
        var result = (losses / Math.Max(1, steps), TokensPerSecond);
        (losses, steps, tokens) = (0, 0, 0);
        watch.Restart();
        return result;
    }
}
