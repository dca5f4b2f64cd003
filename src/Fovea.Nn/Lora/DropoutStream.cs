using Fovea.Tensors;

namespace Fovea.Nn.Lora;

/// <summary>
/// Dropout whose mask depends only on (seed, step, sample, token, module, feature): recomputation, packing and the number of processes cannot change it.
/// </summary>
public sealed class DropoutStream(double probability, ulong seed)
{
    private ulong[] rows = [];

    /// <summary>Says which tokens the rows of the coming micro-batch are.</summary>
    /// <param name="step">Number of the optimizer step.</param>
    /// <param name="samples">One number a row: the sample it belongs to.</param>
    /// <param name="tokens">One number a row: its place in the sample.</param>
    public void Begin(long step, ReadOnlySpan<long> samples, ReadOnlySpan<int> tokens)
    {
        rows = new ulong[samples.Length];
        for (var i = 0; i < rows.Length; i++)
        {
            rows[i] = SplitMix.Mix(SplitMix.Mix(SplitMix.Mix(seed ^ 0x9E3779B97F4A7C15UL, (ulong)step), (ulong)samples[i]), (ulong)tokens[i]);
        }
    }

    internal Tensor Apply(Tensor x, int module)
    {
        var width = (int)x.Size(-1);
        if (x.Size(0) != rows.Length)
        {
            throw new InvalidOperationException($"dropout was told of {rows.Length} rows and met {x.Describe()}");
        }

        // A multiplication keeps 1 / (1 - p) of what stays, as in the reference.
        var mask = CreateOps.Staging([rows.Length, width], DType.F32, x.Device);
        var keep = (float)(1 / (1 - probability));
        var threshold = (uint)(probability * (1UL << 32));
        var elements = mask.Elements<float>();
        for (var row = 0; row < rows.Length; row++)
        {
            var key = SplitMix.Mix(rows[row], (ulong)module);
            var line = elements.Slice(row * width, width);
            for (var i = 0; i < width; i += 2)
            {
                var bits = SplitMix.Mix(key, (ulong)i);
                line[i] = (uint)bits < threshold ? 0 : keep;
                if (i + 1 < width)
                {
                    line[i + 1] = (uint)(bits >> 32) < threshold ? 0 : keep;
                }
            }
        }

        return x.Mul(mask.Send(x.Device).To(x.DType));
    }
}
