using System.Diagnostics.CodeAnalysis;
using Fovea.Tensors.Native;

namespace Fovea.Tensors;

/// <summary>
/// Counts the memory that autograd keeps on this thread for backward passes, until disposed: each piece once, however many saved tensors lie in it. The meta
/// device serves as well as another, because its tensors have storages of the right size without memory.
/// </summary>
[SuppressMessage("Performance", "CA1822", Justification = "What is counted belongs to the thread, but only whoever began it may ask.")]
internal sealed class SavedMemory : IDisposable
{
    private SavedMemory()
    {
    }

    /// <summary>One at a time on each thread.</summary>
    public static SavedMemory Start()
    {
        Bridge.EnsureLoaded();
        Bridge.Check(Bridge.SavedStart());
        return new SavedMemory();
    }

    /// <summary>Bytes of the pieces that were first met since the start, or since this was last asked.</summary>
    public long Take()
    {
        Bridge.Check(Bridge.SavedTake(out var bytes));
        return bytes;
    }

    /// <summary>Counts the memory of a tensor that somebody else keeps, as if autograd had saved it.</summary>
    public void Add(Tensor tensor) => Door.With(tensor, handle => Bridge.SavedNote(handle, 1));

    /// <summary>Leaves out the memory of a tensor that is there in any case: a weight's.</summary>
    public void Ignore(Tensor tensor) => Door.With(tensor, handle => Bridge.SavedNote(handle, 0));

    public void Dispose() => Bridge.Check(Bridge.SavedStop());
}
