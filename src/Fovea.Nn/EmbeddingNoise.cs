using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>
/// NEFTune (arXiv 2310.05914): uniform noise on token embeddings while training, of at most alpha / sqrt(tokens of the sample x width). It depends only on
/// (seed, step, sample, token, feature): packing, recomputation and the number of processes cannot change it, and no padding counts.
/// </summary>
internal sealed class EmbeddingNoise(double alpha, ulong seed)
{
    private const int Bits = 24; // as many as an fp32 number tells apart

    /// <summary>The noise of the rows of a micro-batch [T, E], fp32, in the open scope.</summary>
    /// <param name="step">Number of the optimizer step.</param>
    /// <param name="samples">One number a row: the sample it belongs to.</param>
    /// <param name="tokens">One number a row: its place in the sample, from 0; rows of a sample follow one another.</param>
    public Tensor Draw(long step, ReadOnlySpan<long> samples, ReadOnlySpan<int> tokens, int width, Device device = default)
    {
        var noise = new float[samples.Length * width];
        var ofStep = SplitMix.Mix(seed ^ 0xD1B54A32D192ED03UL, (ulong)step); // not dropout's numbers
        for (var first = 0; first < samples.Length;)
        {
            var end = first + 1;
            while (end < samples.Length && tokens[end] > 0)
            {
                end++;
            }

            var most = Magnitude(alpha, end - first, width);
            var ofSample = SplitMix.Mix(ofStep, (ulong)samples[first]);
            for (var row = first; row < end; row++)
            {
                Fill(noise.AsSpan(row * width, width), SplitMix.Mix(ofSample, (ulong)tokens[row]), most);
            }

            first = end;
        }

        return CreateOps.On(device, noise, samples.Length, width);
    }

    /// <summary>The most that noise can be.</summary>
    public static double Magnitude(double alpha, int tokens, int width) => alpha / Math.Sqrt((double)tokens * width);

    private static void Fill(Span<float> row, ulong key, double most)
    {
        const double unit = 1.0 / (1 << (Bits - 1));
        for (var i = 0; i < row.Length; i++)
        {
            row[i] = (float)((((SplitMix.Mix(key, (ulong)i) >> (64 - Bits)) * unit) - 1) * most);
        }
    }
}
