namespace Fovea.Tensors;

/// <summary>Counts native handles, so that tests can assert that none is left over and none was freed by the finalizer.</summary>
internal static class Handles
{
    private static long live;
    private static long finalized;
    private static long callbacks;

    /// <summary>Tensor handles that are open now.</summary>
    public static long Live => Interlocked.Read(ref live);

    /// <summary>Tensor handles that the finalizer had to free since the process began: every one is a bug.</summary>
    public static long Finalized => Interlocked.Read(ref finalized);

    /// <summary>Managed objects that native code holds now (checkpointed blocks, gradient hooks, mapped memory).</summary>
    public static long Callbacks => Interlocked.Read(ref callbacks);

    internal static void Opened() => Interlocked.Increment(ref live);

    internal static void Closed() => Interlocked.Decrement(ref live);

    internal static void Forgotten() => Interlocked.Increment(ref finalized);

    /// <summary>For the one test that leaks on purpose.</summary>
    internal static void ForgiveOne() => Interlocked.Decrement(ref finalized);

    internal static void CallbackOpened() => Interlocked.Increment(ref callbacks);

    internal static void CallbackClosed() => Interlocked.Decrement(ref callbacks);
}
