using System.Collections.Concurrent;

namespace Fovea.Loading;

/// <summary>
/// The thread of one loaded model: libtorch's grad mode, its hooks and the tensor scopes belong to one thread, so whatever is asked of the model waits in a
/// queue for it.
/// </summary>
internal sealed class ModelThread : IAsyncDisposable
{
    private const int StackBytes = 16 << 20;
    private readonly BlockingCollection<Action> queue = [];
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private bool awake;

    public ModelThread(string name) =>
        new Thread(Work, StackBytes) { Name = name, IsBackground = true }.Start();

    /// <summary>A piece of work that is done again and again between others, from <see cref="Wake"/> until it returns false or throws.</summary>
    public Func<bool>? Background { get; set; }

    /// <summary>There is work for <see cref="Background"/>. On this thread.</summary>
    public void Wake() => awake = Background is not null;

    /// <summary>Runs work after everything that was asked before. What it throws, the task throws.</summary>
    /// <exception cref="ObjectDisposedException">The model is disposed.</exception>
    public Task<T> Run<T>(Func<T> work, CancellationToken cancel = default)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            queue.Add(() => Complete(done, work, cancel), CancellationToken.None);
        }
        catch (InvalidOperationException)
        {
            throw new ObjectDisposedException(nameof(VisionModel));
        }

        return done.Task;
    }

    /// <summary>Ends the thread after what was asked before.</summary>
    public async ValueTask DisposeAsync()
    {
        queue.CompleteAdding();
        await ended.Task.ConfigureAwait(false);
    }

    private static void Complete<T>(TaskCompletionSource<T> done, Func<T> work, CancellationToken cancel)
    {
        if (cancel.IsCancellationRequested)
        {
            done.SetCanceled(cancel);
            return;
        }

        try
        {
            done.SetResult(work());
        }
        catch (OperationCanceledException e) when (e.CancellationToken == cancel)
        {
            done.SetCanceled(cancel);
        }
        catch (Exception e)
        {
            done.SetException(e);
        }
    }

    private void Work()
    {
        while (true)
        {
            if (queue.TryTake(out var work, awake ? 0 : Timeout.Infinite))
            {
                // Whoever asks at the same time is answered in the same pass.
                var more = queue.Count;
                work();
                while (more-- > 0 && queue.TryTake(out work))
                {
                    work();
                }
            }
            else if (!awake)
            {
                break; // nothing more will come
            }

            awake = awake && Continue();
        }

        queue.Dispose();
        ended.SetResult();
    }

    // Whoever waits for what failed has been told.
    private bool Continue()
    {
        try
        {
            return Background!();
        }
        catch (Exception)
        {
            return false;
        }
    }
}
