using Fovea.Events;
using Fovea.Runs.Events;

namespace Fovea.Tests.Unit.Training;

/// <summary>Keeps the events of a run, and asks it to stop after a step.</summary>
internal sealed class SeenEvents(int stopAfter = -1) : IEventSink, IDisposable
{
    private readonly CancellationTokenSource stop = new();

    public CancellationToken Stop => stop.Token;

    public List<RunEvent> All { get; } = [];

    public IEnumerable<string> Notices => All.OfType<Notice>().Select(notice => notice.Text);

    /// <summary>Asks the run to stop before its next step.</summary>
    public void Cancel() => stop.Cancel();

    public void Write(RunEvent e)
    {
        All.Add(e);
        if (e is StepDone done && done.Step == stopAfter)
        {
            stop.Cancel();
        }
    }

    public void Dispose() => stop.Dispose();
}
