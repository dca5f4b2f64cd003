using System.Diagnostics.CodeAnalysis;
using Fovea.Tensors.Native;

namespace Fovea.Tensors;

/// <summary>
/// Counts the bytes of tensors that this thread makes and frees, until disposed. What was made before is not known: its freeing is not counted.
/// </summary>
[SuppressMessage("Performance", "CA1822", Justification = "What is counted belongs to the thread, but only whoever began it may ask.")]
internal sealed class MemoryCount : IDisposable
{
    private MemoryCount()
    {
    }

    /// <summary>Bytes made since the start and not freed yet.</summary>
    public long Live => Read(restart: false).Live;

    /// <summary>Most bytes at one time since the start, or since this was last asked.</summary>
    public long TakePeak() => Read(restart: true).Peak;

    /// <summary>One at a time on each thread.</summary>
    public static MemoryCount Start()
    {
        Bridge.EnsureLoaded();
        Bridge.Check(Bridge.CountStart());
        return new MemoryCount();
    }

    public void Dispose() => Bridge.Check(Bridge.CountStop());

    private static (long Live, long Peak) Read(bool restart)
    {
        Bridge.Check(Bridge.CountRead(out var live, out var peak, restart ? 1 : 0));
        return (live, peak);
    }
}
