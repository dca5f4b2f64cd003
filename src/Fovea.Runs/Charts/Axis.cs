using System.Globalization;

namespace Fovea.Runs.Charts;

/// <summary>Maps a range of values to pixels and chooses round tick marks in it.</summary>
internal sealed class Axis
{
    private readonly double from;
    private readonly double to;
    private readonly double pixelFrom;
    private readonly double pixelTo;

    /// <param name="min">Smallest value shown.</param>
    /// <param name="max">Largest value shown.</param>
    /// <param name="pixelFrom">Where the smallest value goes.</param>
    /// <param name="pixelTo">Where the largest value goes.</param>
    /// <param name="margin">Part of the range added at both ends.</param>
    public Axis(double min, double max, double pixelFrom, double pixelTo, double margin)
    {
        // A single value gets a range of its own around it.
        var span = max > min ? max - min : Math.Max(Math.Abs(max), 1) * 0.1;
        from = min - (span * margin);
        to = (max > min ? max : min) + (span * margin);
        (this.pixelFrom, this.pixelTo) = (pixelFrom, pixelTo);
    }

    public double Pixel(double value) => pixelFrom + ((value - from) / (to - from) * (pixelTo - pixelFrom));

    /// <summary>At most <paramref name="count"/> multiples of 1, 2 or 5 times a power of ten, with their labels.</summary>
    public IReadOnlyList<(double Value, string Label)> Ticks(int count, bool whole)
    {
        var step = Math.Pow(10, Math.Floor(Math.Log10((to - from) / count)));
        step = new[] { step, 2 * step, 5 * step, 10 * step }.First(s => (to - from) / s <= count);
        step = whole ? Math.Max(1, step) : step;
        var decimals = Math.Clamp((int)-Math.Floor(Math.Log10(step) + 1e-9), 0, 12);
        var ticks = new List<(double, string)>();
        for (var k = Math.Ceiling(from / step); k * step <= to + (1e-9 * step); k++)
        {
            ticks.Add((k * step, (k * step == 0 ? 0 : k * step).ToString("F" + decimals, CultureInfo.InvariantCulture)));
        }

        return ticks;
    }
}
