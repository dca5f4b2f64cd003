using Fovea.Events;
using Fovea.Runs.Trackers;

namespace Fovea.Runs.Events;

/// <summary>
/// Passes every event to every sink. A sink that throws is switched off and reported once to the others: a full disk or a broken
/// terminal never stops a run. Calls from several threads are taken one at a time.
/// </summary>
internal sealed class EventHub : IEventSink, IDisposable
{
    private readonly Lock gate = new();
    private readonly List<IEventSink> sinks;

    public EventHub(params IEnumerable<IEventSink> sinks) => this.sinks = [.. sinks];

    public void Add(IEventSink sink)
    {
        lock (gate)
        {
            sinks.Add(sink);
        }
    }

    public void Write(RunEvent e)
    {
        lock (gate)
        {
            Deliver(e);
        }
    }

    /// <summary>Closes the sinks in the order in which they were added.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            foreach (var sink in sinks.OfType<IDisposable>())
            {
                CloseQuietly(sink);
            }

            sinks.Clear();
        }
    }

    private static void CloseQuietly(IDisposable sink)
    {
        try
        {
            sink.Dispose();
        }
        catch (Exception)
        {
            // The run's results are already on disk; closing a display or a log must not turn success into failure.
        }
    }

    private void Deliver(RunEvent e)
    {
        var reports = new List<Warning>();
        foreach (var sink in sinks.ToArray())
        {
            try
            {
                sink.Write(e);
            }
            catch (Exception error)
            {
                sinks.Remove(sink);
                if (sink is IDisposable closable)
                {
                    CloseQuietly(closable);
                }

                var name = sink is BackgroundSink tracker ? $"report_to: {tracker.Name}" : sink.GetType().Name;
                reports.Add(new Warning($"{name} stopped working and was switched off: {error.Message}"));
            }
        }

        // Each round has fewer sinks than the one before, so this ends.
        foreach (var report in reports)
        {
            Deliver(report);
        }
    }
}
