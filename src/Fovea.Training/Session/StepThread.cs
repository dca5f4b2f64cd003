using System.Runtime.ExceptionServices;
using Fovea.Tensors;

namespace Fovea.Training.Session;

/// <summary>Runs something on a thread of its own and waits: libtorch's grad mode, its hooks and the tensor scopes belong to one thread.</summary>
internal static class StepThread
{
    private const int StackBytes = 16 << 20;

    public static T Run<T>(Func<T> work)
    {
        T? result = default;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(
            () =>
            {
                try
                {
                    // A new thread starts with OpenMP's own number of threads; asking makes libtorch apply its own before the first product,
                    // else the first step of a resumed run could round differently.
                    _ = Torch.Threads;
                    result = work();
                }
                catch (Exception e)
                {
                    failure = ExceptionDispatchInfo.Capture(e);
                }
            },
            StackBytes)
        {
            Name = "step",
        };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result!;
    }
}
