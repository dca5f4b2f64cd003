using Fovea.Tensors;

namespace Fovea.Nn.Lora;

/// <summary>
/// Dropout whose mask depends only on (seed, step, sample, token, module, feature): recomputation, packing and the number of processes cannot change it.
/// Masks are drawn where they are used, on the device, and not kept.
/// </summary>
internal sealed class DropoutStream(double probability, ulong seed) : IDisposable
{
    private Tensor? keys;
    private Tensor? shapes;

    /// <summary>The share of inputs that is dropped.</summary>
    internal double Probability => probability;

    /// <summary>Keys are shapes alone, as many as there are rows, while a pass is measured (<see cref="BlockMeter"/>).</summary>
    internal bool AsShapes
    {
        set
        {
            shapes?.Dispose();
            shapes = value ? CreateOps.Empty([0], DType.I64, Device.Meta).Keep() : null;
        }
    }

    /// <summary>Says which tokens the rows of the coming micro-batch are.</summary>
    /// <param name="step">Number of the optimizer step.</param>
    /// <param name="samples">One number a row: the sample it belongs to.</param>
    /// <param name="tokens">One number a row: its place in the sample.</param>
    /// <param name="device">Where the micro-batch is computed.</param>
    public void Begin(long step, ReadOnlySpan<long> samples, ReadOnlySpan<int> tokens, Device device = default)
    {
        var rows = new long[samples.Length];
        for (var i = 0; i < rows.Length; i++)
        {
            rows[i] = (long)SplitMix.Mix(SplitMix.Mix(SplitMix.Mix(seed ^ 0x9E3779B97F4A7C15UL, (ulong)step), (ulong)samples[i]), (ulong)tokens[i]);
        }

        using var scope = TensorScope.Open("dropout");
        keys?.Dispose();
        keys = CreateOps.On(device, rows).Keep();
    }

    public void Dispose()
    {
        keys?.Dispose();
        keys = null;
    }

    internal Tensor Apply(Tensor x, int module) => x.Dropout(KeysOf(x), module, probability);

    /// <summary>One key a row of <paramref name="x"/>, 64 bits, on the device: what (seed, step, sample, token) come to.</summary>
    internal Tensor KeysOf(Tensor x)
    {
        if (shapes is null)
        {
            return keys ?? throw new InvalidOperationException("dropout was not told which tokens come");
        }

        if (shapes.Count != x.Size(0))
        {
            shapes.Dispose();
            shapes = CreateOps.Empty([x.Size(0)], DType.I64, Device.Meta).Keep();
        }

        return shapes;
    }
}
