using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Fovea.Nn;

/// <summary>Where the time goes: named spans of the step thread, written in the form that chrome://tracing and Perfetto read. Off unless started.</summary>
internal static class Profile
{
    // A step of a large model has a few hundred spans; this is some hours of them, and bounds memory.
    private const int MostSpans = 1_000_000;

    // Stands for a thread in spans that belong to none, and where their tracks begin in the file.
    private const int Together = -1;
    private const int FirstTrack = 1_000_000;

    private static readonly Lock Gate = new();
    private static List<(string Name, long Start, long End, int Thread)>? spans;

    public static bool IsOn => spans is not null;

    /// <summary>The category of <see cref="Add"/>'s spans in the file.</summary>
    public const string Collective = "collective";

    public static void Start() => spans = [];

    /// <summary>What the processes did together beside this one's own work, on tracks of their own: such spans may overlap.</summary>
    /// <param name="start">As <see cref="Stopwatch.GetTimestamp"/> counts.</param>
    public static void Add(string name, long start, long end)
    {
        if (spans is { } open)
        {
            Take(open, (name, start, end, Together));
        }
    }

    /// <summary>A span from now until it is disposed; free of cost when tracing is off.</summary>
    public static Span Open(string name) => new(name, IsOn ? Stopwatch.GetTimestamp() : 0);

    /// <summary>Ends tracing and writes the file.</summary>
    /// <param name="path">Null drops what was taken.</param>
    public static void Stop(string? path)
    {
        var taken = Interlocked.Exchange(ref spans, null);
        if (taken is null || path is null)
        {
            return;
        }

        var text = new StringBuilder("{\"traceEvents\":[");
        List<long> tracks = [];
        foreach (var (name, start, end, thread) in taken.OrderBy(span => span.Thread == Together ? span.Start : 0))
        {
            var together = thread == Together;
            var track = together ? FirstTrack + Lane(tracks, start, end) : thread;
            text.Append(CultureInfo.InvariantCulture, $"\n{{\"name\":\"{name}\",\"cat\":\"{(together ? Collective : "work")}\",\"ph\":\"X\",");
            text.Append(CultureInfo.InvariantCulture, $"\"pid\":1,\"tid\":{track},");
            text.Append(CultureInfo.InvariantCulture, $"\"ts\":{Microseconds(start):F1},\"dur\":{Microseconds(end - start):F1}}},");
        }

        for (var i = 0; i < tracks.Count; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n{{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":{FirstTrack + i},");
            text.Append(CultureInfo.InvariantCulture, $"\"args\":{{\"name\":\"collectives{(i == 0 ? string.Empty : $" {i + 1}")}\"}}}},");
        }

        AtomicFile.WriteText(path, text.ToString().TrimEnd(',') + "\n]}\n");
    }

    /// <summary>The first track that is free by then; spans of one track must not overlap to be drawn.</summary>
    private static int Lane(List<long> busyUntil, long start, long end)
    {
        var lane = busyUntil.FindIndex(until => until <= start);
        if (lane < 0)
        {
            busyUntil.Add(end);
            return busyUntil.Count - 1;
        }

        busyUntil[lane] = end;
        return lane;
    }

    private static void Take(List<(string Name, long Start, long End, int Thread)> open, (string Name, long Start, long End, int Thread) span)
    {
        lock (Gate)
        {
            if (open.Count < MostSpans)
            {
                open.Add(span);
            }
        }
    }

    private static double Microseconds(long ticks) => ticks * 1e6 / Stopwatch.Frequency;

    /// <summary>An open span.</summary>
    public readonly struct Span(string name, long start) : IDisposable
    {
        public void Dispose()
        {
            if (start != 0 && spans is { } open)
            {
                Take(open, (name, start, Stopwatch.GetTimestamp(), Environment.CurrentManagedThreadId));
            }
        }
    }
}
