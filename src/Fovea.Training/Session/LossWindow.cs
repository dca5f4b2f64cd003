using System.Diagnostics;

namespace Fovea.Training.Session;

/// <summary>Adds up what happened since the last log line.</summary>
internal sealed class LossWindow
{
    private readonly Stopwatch watch = Stopwatch.StartNew();
    private double losses;
    private int known;
    private long tokens;
    private long samples;

    /// <param name="loss">Null where the step has none.</param>
    public void Add(double? loss, long stepTokens, long stepSamples)
    {
        losses += loss ?? 0;
        known += loss is null ? 0 : 1;
        tokens += stepTokens;
        samples += stepSamples;
    }

    /// <summary>Tokens a second since the last log line.</summary>
    public double TokensPerSecond => tokens / Math.Max(1e-9, watch.Elapsed.TotalSeconds);

    /// <summary>Mean loss of the steps that have one (null: none has) and tokens and samples a second since the last call, and begins anew.</summary>
    public (double? Loss, double TokensPerSecond, double SamplesPerSecond) Take()
    {
        var seconds = Math.Max(1e-9, watch.Elapsed.TotalSeconds);
        var result = (known == 0 ? (double?)null : losses / known, tokens / seconds, samples / seconds);
        (losses, known, tokens, samples) = (0, 0, 0, 0);
        watch.Restart();
        return result;
    }
}
