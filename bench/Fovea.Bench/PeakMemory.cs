using Fovea.Training.Planning;

namespace Fovea.Bench;

/// <summary>Watches the anonymous memory of this process from a thread of its own, every few milliseconds, until disposed.</summary>
internal sealed class PeakMemory : IDisposable
{
    private readonly ManualResetEventSlim stop = new();
    private readonly Thread watcher;
    private long anonymous;

    public PeakMemory()
    {
        watcher = new Thread(Watch) { IsBackground = true, Name = "memory" };
        watcher.Start();
    }

    /// <summary>Highest anonymous resident memory seen so far, in MiB.</summary>
    public double AnonymousMebibytes => Volatile.Read(ref anonymous) / 1048576.0;

    /// <summary>Highest resident memory of the process, mapped files included, in MiB.</summary>
    public static double ResidentMebibytes => ProcessMemory.Peak / 1048576.0;

    public void Dispose()
    {
        stop.Set();
        watcher.Join();
        stop.Dispose();
    }

    private void Watch()
    {
        do
        {
            Volatile.Write(ref anonymous, Math.Max(anonymous, ProcessMemory.Anonymous));
        }
        while (!stop.Wait(20));
    }
}
