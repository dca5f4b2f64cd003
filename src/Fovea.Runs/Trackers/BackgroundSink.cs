using System.Threading.Channels;
using Fovea.Events;
using Fovea.Runs.Events;

namespace Fovea.Runs.Trackers;

/// <summary>
/// Hands a run's events to a tracker from another thread. The run never waits for it but at its end, and there for a bounded time: what the tracker does not
/// take in time is dropped, counted, and told once.
/// </summary>
internal sealed class BackgroundSink : IEventSink, IDisposable
{
    private const int MostAtOnce = 64;

    private readonly ITracker tracker;
    private readonly TrackerLimits limits;
    private readonly Channel<RunEvent> queue;
    private readonly CancellationTokenSource stop = new();
    private readonly Task worker;
    private long seen;
    private long delivered;
    private bool closed;
    private RunEvent? last;
    private volatile bool ended;
    private volatile string? problem;
    private volatile TrackerException? refused;

    /// <param name="tracker">Belongs to the sink.</param>
    public BackgroundSink(ITracker tracker, TrackerLimits? limits = null)
    {
        (this.tracker, this.limits) = (tracker, limits ?? new());
        queue = Channel.CreateBounded<RunEvent>(new BoundedChannelOptions(this.limits.Queue) { SingleReader = true, SingleWriter = true });
        worker = Task.Run(Work);
    }

    /// <summary>The tracker's name in <c>report_to</c>.</summary>
    public string Name => tracker.Name;

    /// <exception cref="TrackerException">The tracker takes nothing at all: the hub switches it off, and says why.</exception>
    public void Write(RunEvent e)
    {
        if (closed)
        {
            return;
        }

        if (refused is { } why)
        {
            throw why;
        }

        if (tracker.Wants(e))
        {
            seen++;
            queue.Writer.TryWrite(e);
        }
    }

    /// <summary>Sends what is left; to be called before the run says that it has ended.</summary>
    /// <param name="end">How it ends; null where it breaks off.</param>
    /// <returns>What the tracker has not got; null where it has all.</returns>
    public string? Finish(RunEvent? end)
    {
        if (closed)
        {
            return null;
        }

        last = end;
        closed = true;
        if (end is not null && tracker.Wants(end))
        {
            seen++;
        }

        queue.Writer.TryComplete();
        if (!worker.Wait(limits.End))
        {
            stop.Cancel();
        }

        var missing = seen - Interlocked.Read(ref delivered);
        return missing == 0 && ended ? null
            : refused is { } why && missing == seen ? $"report_to: {Name} took nothing of this run: {why.Message}"
            : $"report_to: {Name} did not take {missing} of {seen} entries{(ended ? string.Empty : " and not the end")} of this run: "
                + (problem ?? "it was too slow");
    }

    /// <summary>Ends at once where the run has not: what waits is dropped.</summary>
    public void Dispose()
    {
        if (refused is null)
        {
            Finish(null);
        }

        closed = true;
        stop.Cancel();
        queue.Writer.TryComplete();
        _ = worker.ContinueWith(
            _ =>
            {
                tracker.Dispose();
                stop.Dispose();
            }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    private async Task Work()
    {
        try
        {
            while (await queue.Reader.WaitToReadAsync(stop.Token).ConfigureAwait(false))
            {
                var batch = new List<RunEvent>();
                while (batch.Count < MostAtOnce && queue.Reader.TryRead(out var e))
                {
                    batch.Add(e);
                }

                if (await Try(cancel => tracker.Send(batch, cancel)).ConfigureAwait(false))
                {
                    Interlocked.Add(ref delivered, batch.Count);
                }
            }

            ended = await Try(cancel => tracker.End(last, cancel)).ConfigureAwait(false);
            if (ended && last is not null && tracker.Wants(last))
            {
                Interlocked.Increment(ref delivered);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The run has waited long enough.
        }
        catch (TrackerException e)
        {
            problem = e.Message;
            refused = e;
        }
        catch (Exception e)
        {
            problem = $"{e.GetType().Name}: {e.Message}";
            refused = new TrackerException(problem, passes: false);
        }
    }

    private async Task<bool> Try(Func<CancellationToken, Task> send)
    {
        var pause = limits.FirstPause;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await send(stop.Token).ConfigureAwait(false);
                return true;
            }
            catch (TrackerException e) when (e.Passes)
            {
                problem = e.Message;
                if (attempt >= limits.Attempts)
                {
                    return false;
                }
            }

            await Task.Delay(pause, stop.Token).ConfigureAwait(false);
            pause = pause * 2 < limits.LongestPause ? pause * 2 : limits.LongestPause;
        }
    }
}
