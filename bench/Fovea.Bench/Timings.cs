using System.Diagnostics;

namespace Fovea.Bench;

/// <summary>Wall-clock and processor seconds of repeated runs of one thing.</summary>
internal sealed class Timings
{
    private readonly List<double> wall = [];
    private readonly List<double> processor = [];

    public IReadOnlyList<double> Wall => wall;

    public double Best => wall.Min();

    public double Median => MedianOf(wall);

    /// <summary>Processor seconds of all threads: less disturbed by other programs than the clock on the wall.</summary>
    public double ProcessorMedian => MedianOf(processor);

    public void Add(double wallSeconds, double processorSeconds)
    {
        wall.Add(wallSeconds);
        processor.Add(processorSeconds);
    }

    public T Measure<T>(Func<T> work)
    {
        var before = ProcessorSeconds;
        var watch = Stopwatch.GetTimestamp();
        var result = work();
        Add(Stopwatch.GetElapsedTime(watch).TotalSeconds, ProcessorSeconds - before);
        return result;
    }

    public void Measure(Action work) => Measure(() =>
    {
        work();
        return 0;
    });

    /// <summary>The middle value; the mean of the two middle ones when their number is even.</summary>
    public static double MedianOf(IReadOnlyCollection<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length == 0
            ? throw new ArgumentException("no values", nameof(values))
            : (sorted[sorted.Length / 2] + sorted[(sorted.Length - 1) / 2]) / 2;
    }

    private static double ProcessorSeconds => Environment.CpuUsage.TotalTime.TotalSeconds;
}
