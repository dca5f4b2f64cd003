using System.Runtime.InteropServices;

namespace Fovea.Launch;

/// <summary>Ctrl-C and SIGTERM at the launcher: the first asks the ranks to save and end, the second ends them.</summary>
internal sealed class StopRequest : IDisposable
{
    private readonly PosixSignalRegistration[] registrations;
    private readonly ManualResetEventSlim signalled = new();
    private int count;

    public StopRequest() => registrations =
        [PosixSignalRegistration.Create(PosixSignal.SIGINT, Take), PosixSignalRegistration.Create(PosixSignal.SIGTERM, Take)];

    public bool Asked => Volatile.Read(ref count) > 0;

    public bool Forced => Volatile.Read(ref count) > 1;

    /// <summary>Sleeps, but not past the first signal.</summary>
    /// <returns>Whether a stop was asked for.</returns>
    public bool Wait(TimeSpan time) => signalled.Wait(time);

    public void Dispose()
    {
        foreach (var registration in registrations)
        {
            registration.Dispose();
        }

        signalled.Dispose();
    }

    private void Take(PosixSignalContext signal)
    {
        signal.Cancel = true;
        if (Interlocked.Increment(ref count) == 1)
        {
            Console.Error.WriteLine("\nstopping: all ranks finish their step and save first; once more stops at once");
        }

        signalled.Set();
    }
}
