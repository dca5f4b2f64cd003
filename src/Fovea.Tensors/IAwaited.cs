namespace Fovea.Tensors;

/// <summary>Something under way that is waited for in slices, so that the waiter may think again in between.</summary>
internal interface IAwaited
{
    /// <summary>Waits for at most <paramref name="slice"/>; false when it is not done yet. Throws what went wrong.</summary>
    bool Wait(TimeSpan slice);
}
