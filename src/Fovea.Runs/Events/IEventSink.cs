using Fovea.Events;

namespace Fovea.Runs.Events;

/// <summary>Takes the facts of a run, one at a time, on the trainer's thread. A sink that holds files is also <see cref="IDisposable"/>.</summary>
internal interface IEventSink
{
    void Write(RunEvent e);
}
