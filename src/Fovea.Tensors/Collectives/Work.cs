using Fovea.Tensors.Native;

namespace Fovea.Tensors.Collectives;

/// <summary>A collective under way.</summary>
internal sealed class Work : IAwaited, IDisposable
{
    private const int Waiting = 2;
    private nint handle;

    internal Work(nint handle) => this.handle = handle;

    /// <summary>
    /// Waits for at most <paramref name="slice"/>; false when it is not done yet. On CUDA the current stream waits instead, and the answer is true at once.
    /// Throws what went wrong.
    /// </summary>
    public bool Wait(TimeSpan slice)
    {
        var status = Bridge.WorkWait(
            handle != 0 ? handle : throw new ObjectDisposedException(nameof(Work)), Math.Max(1, (long)slice.TotalMilliseconds));
        if (status == Waiting)
        {
            return false;
        }

        Bridge.Check(status);
        return true;
    }

    /// <summary>When it ended on this process, as <see cref="System.Diagnostics.Stopwatch"/> counts; null while it has not, or where nobody noted it.</summary>
    public long? Ended => Bridge.WorkEnded(handle != 0 ? handle : throw new ObjectDisposedException(nameof(Work))) is var at and not 0 ? at : null;

    public void Dispose()
    {
        var closing = Interlocked.Exchange(ref handle, 0);
        if (closing != 0)
        {
            Bridge.WorkClose(closing);
        }
    }
}
