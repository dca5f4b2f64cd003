namespace Fovea.Running;

/// <summary>Long work on a thread of its own, which would keep one of the pool's from everybody else.</summary>
internal static class BlockingWork
{
    public static Task<T> Run<T>(Func<T> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);
}
