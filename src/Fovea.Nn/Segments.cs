using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>Which consecutive tokens attend to one another: samples of a packed batch, images or windows of a vision tower.</summary>
internal sealed class Segments
{
    private readonly List<(int Start, int Length, int Count)> runs = [];
    private Tensor? offsets;

    /// <param name="boundaries">Cumulated lengths, from 0 to the number of tokens; empty segments are dropped.</param>
    public Segments(ReadOnlySpan<int> boundaries)
    {
        if (boundaries.Length < 2 || boundaries[0] != 0)
        {
            throw new ArgumentException("boundaries run from 0 to the number of tokens");
        }

        List<long> kept = [0];
        for (var i = 1; i < boundaries.Length; i++)
        {
            var length = boundaries[i] - boundaries[i - 1];
            if (length < 0)
            {
                throw new ArgumentException("boundaries must not fall");
            }

            if (length > 0)
            {
                Append(boundaries[i - 1], length);
                kept.Add(boundaries[i]);
            }
        }

        Tokens = boundaries[^1];
        Boundaries = kept.Count > 1 ? [.. kept] : [0, 0];
    }

    /// <summary>Cumulated lengths without those of empty segments, from 0 to the number of tokens. Do not write into it.</summary>
    public long[] Boundaries { get; }

    public int Tokens { get; }

    /// <summary>Neighbours of equal length together, so that they are one batched product.</summary>
    public IReadOnlyList<(int Start, int Length, int Count)> Runs => runs;

    /// <summary>Puts the boundaries on the device too, once for all layers; the tensor belongs to the open scope.</summary>
    public Segments On(Device device)
    {
        offsets = device.Type == DeviceType.Cpu ? null : CreateOps.On(device, Array.ConvertAll(Boundaries, b => (int)b));
        return this;
    }

    /// <summary>The boundaries as 32-bit integers on a device; null for the CPU, which reads <see cref="Boundaries"/>.</summary>
    public Tensor? OffsetsOn(Device device)
    {
        if (device.Type == DeviceType.Cpu)
        {
            return null;
        }

        return offsets is { } placed && placed.Device == device ? placed : CreateOps.On(device, Array.ConvertAll(Boundaries, b => (int)b));
    }

    private void Append(int start, int length)
    {
        if (runs.Count > 0 && runs[^1].Length == length)
        {
            runs[^1] = runs[^1] with { Count = runs[^1].Count + 1 };
        }
        else
        {
            runs.Add((start, length, 1));
        }
    }
}
