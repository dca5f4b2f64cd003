using Fovea.Events;
using Fovea.Runs.Events;

namespace Fovea.Running;

/// <summary>Passes a run's events on. A callback that throws is switched off and reported, as any other view: it never stops a run.</summary>
internal sealed class CallbackSink(Action<RunEvent> callback) : IEventSink
{
    public void Write(RunEvent e) => callback(e);
}
