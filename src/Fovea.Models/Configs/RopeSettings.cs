using Fovea.Nn;

namespace Fovea.Models.Configs;

/// <summary>The rotary frequencies of a language model, as its config.json states them. Numbers are those of Transformers.</summary>
internal sealed record RopeSettings
{
    public required double Theta { get; init; }

    public RopeKind Kind { get; init; }

    /// <summary>How many times longer than those it was trained on sequences may be.</summary>
    public double Factor { get; init; } = 1;

    /// <summary>Most tokens of the sequences that it was trained on before.</summary>
    public int OriginalPositions { get; init; }

    /// <summary>YaRN: frequencies that turn more often than this within the original length stay.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>YaRN: those that turn less often than this are divided by the whole factor.</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>YaRN: the range between the two begins and ends at a whole dimension.</summary>
    public bool Truncate { get; init; } = true;

    /// <summary>LongRoPE's factors of short sequences [D / 2].</summary>
    public IReadOnlyList<double> Short { get; init; } = [];

    /// <summary>LongRoPE's factors of sequences longer than <see cref="OriginalPositions"/>.</summary>
    public IReadOnlyList<double> Long { get; init; } = [];

    /// <summary>Factor on cosines and sines.</summary>
    public double Scale { get; init; } = 1;

    /// <summary>Whether a sequence's length decides over its frequencies.</summary>
    public bool GoesByLength => Kind == RopeKind.LongRope;

    /// <summary>D / 2 frequencies, in fp32 as the reference computes them.</summary>
    /// <param name="isLong">For a sequence longer than <see cref="OriginalPositions"/>.</param>
    public float[] Frequencies(int dims, bool isLong = false) => Kind switch
    {
        RopeKind.Linear => Array.ConvertAll(Rotary.InverseFrequencies(dims, Theta), frequency => frequency / (float)Factor),
        RopeKind.Yarn => Yarn(dims),
        RopeKind.LongRope => [.. (isLong ? Long : Short).Select((factor, i) => 1f / ((float)factor * Power(i, dims)))],
        _ => Rotary.InverseFrequencies(dims, Theta),
    };

    private float[] Yarn(int dims)
    {
        var (low, high) = (Math.Max(Bound(BetaFast, Math.Floor), 0), Math.Min(Bound(BetaSlow, Math.Ceiling), dims - 1));
        high += low == high ? 0.001 : 0; // as there, so that nothing is divided by 0
        var frequencies = new float[dims / 2];
        for (var i = 0; i < frequencies.Length; i++)
        {
            var stays = 1 - Math.Clamp((i - (float)low) / (float)(high - low), 0, 1);
            var power = Power(i, dims);
            frequencies[i] = (1f / ((float)Factor * power) * (1 - stays)) + (1f / power * stays);
        }

        return frequencies;

        // The dimension whose frequency turns so often within the original length.
        double Bound(double turns, Func<double, double> whole)
        {
            var bound = dims * Math.Log(OriginalPositions / (turns * 2 * Math.PI)) / (2 * Math.Log(Theta));
            return Truncate ? whole(bound) : bound;
        }
    }

    private float Power(int i, int dims) => MathF.Pow((float)Theta, 2f * i / dims);
}
