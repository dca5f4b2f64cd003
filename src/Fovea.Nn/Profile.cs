using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Fovea.Nn;

/// <summary>Where the time goes: named spans of the step thread, written in the form that chrome://tracing and Perfetto read. Off unless started.</summary>
public static class Profile
{
    // A step of a large model has a few hundred spans; this is some hours of them, and bounds memory.
    private const int MostSpans = 1_000_000;

    private static readonly Lock Gate = new();
    private static List<(string Name, long Start, long End, int Thread)>? spans;

    public static bool IsOn => spans is not null;

    public static void Start() => spans = [];

    /// <summary>A span from now until it is disposed; free of cost when tracing is off.</summary>
    public static Span Open(string name) => new(name, IsOn ? Stopwatch.GetTimestamp() : 0);

    /// <summary>Ends tracing and writes the file.</summary>
    public static void Stop(string path)
    {
        var taken = Interlocked.Exchange(ref spans, null);
        if (taken is null)
        {
            return;
        }

        var text = new StringBuilder("{\"traceEvents\":[");
        for (var i = 0; i < taken.Count; i++)
        {
            var (name, start, end, thread) = taken[i];
            text.Append(CultureInfo.InvariantCulture, $"{(i == 0 ? "" : ",")}\n{{\"name\":\"{name}\",\"ph\":\"X\",\"pid\":1,\"tid\":{thread},");
            text.Append(CultureInfo.InvariantCulture, $"\"ts\":{Microseconds(start):F1},\"dur\":{Microseconds(end - start):F1}}}");
        }

        File.WriteAllText(path, text.Append("\n]}\n").ToString());
    }

    private static double Microseconds(long ticks) => ticks * 1e6 / Stopwatch.Frequency;

    /// <summary>An open span.</summary>
    public readonly struct Span(string name, long start) : IDisposable
    {
        public void Dispose()
        {
            if (start != 0 && spans is { } open)
            {
                lock (Gate)
                {
                    if (open.Count < MostSpans)
                    {
                        open.Add((name, start, Stopwatch.GetTimestamp(), Environment.CurrentManagedThreadId));
                    }
                }
            }
        }
    }
}
