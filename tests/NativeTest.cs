namespace Fovea.Tests;

/// <summary>
/// Base of every test that makes tensors: afterwards no handle may be left open, none may have been freed by the finalizer,
/// and native code may hold no managed object.
/// </summary>
public abstract class NativeTest : IDisposable
{
    private readonly long live;
    private readonly long finalized;
    private readonly long callbacks;

    protected NativeTest()
    {
        // Tiny models gain nothing from threads, and threads that wait for one another crawl on a busy machine.
        Torch.Threads = 1;
        Collect();
        live = Handles.Live;
        finalized = Handles.Finalized;
        callbacks = Handles.Callbacks;
    }

    public void Dispose()
    {
        Cleanup();
        Collect();
        Assert.Null(TensorScope.Current);
        Assert.Equal(finalized, Handles.Finalized);
        Assert.Equal(live, Handles.Live);
        Assert.Equal(callbacks, Handles.Callbacks);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what the test class itself holds.</summary>
    protected virtual void Cleanup()
    {
    }

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }
}
