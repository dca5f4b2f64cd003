using System.Runtime.ExceptionServices;
using Fovea.Tensors.Native;

namespace Fovea.Tensors;

/// <summary>Gradients: grad mode, backward, and recomputation of blocks.</summary>
internal static class Autograd
{
    /// <summary>Of this thread: backward runs on the thread that asked for it, and so do its callbacks and its errors.</summary>
    [ThreadStatic]
    private static ExceptionDispatchInfo? pending;

    /// <summary>Whether this thread records for gradients now.</summary>
    public static bool IsRecording
    {
        get
        {
            using var scope = new GradScope(true);
            return scope.WasRecording;
        }
    }

    /// <summary>Nothing computed on this thread until the result is disposed is recorded for gradients.</summary>
    public static GradScope NoGrad() => new(false);

    /// <summary>Records again inside a <see cref="NoGrad"/>.</summary>
    public static GradScope WithGrad() => new(true);

    /// <summary>Accumulates gradients into every leaf behind <paramref name="root"/>.</summary>
    /// <param name="gradient">Gradient of the root, its shape; null for a scalar root.</param>
    public static void Backward(Tensor root, Tensor? gradient = null) => Backward([root], gradient is null ? null : [gradient]);

    /// <summary>As the other overload, for several roots at once.</summary>
    public static void Backward(Tensor[] roots, Tensor[]? gradients) => Gradient.Backward(roots, gradients);

    /// <summary>Gradients of a root with respect to the inputs, leaving .grad alone; null for an input that was not used.</summary>
    public static Tensor?[] Gradients(Tensor root, Tensor[] inputs, Tensor? gradient = null) => Gradient.Of(root, inputs, gradient);

    /// <summary>The accumulated gradient of a leaf, or null. A new handle each time.</summary>
    public static Tensor? Grad(this Tensor leaf)
    {
        nint gradient = 0;
        Door.With(leaf, handle => Bridge.GetGrad(handle, out gradient));
        return gradient == 0 ? null : new Tensor(gradient);
    }

    /// <summary>Replaces the accumulated gradient of a leaf; null clears it.</summary>
    public static void SetGrad(this Tensor leaf, Tensor? gradient) =>
        Door.With(leaf, gradient, Bridge.SetGrad);

    /// <summary>
    /// Runs <paramref name="block"/> on <paramref name="input"/> without keeping what its backward needs; that is recomputed when backward arrives.
    /// Works with a frozen input, because it is built on the hooks of saved tensors. The block must compute the same again: random numbers must be keyed.
    /// </summary>
    /// <param name="keep">Where the input waits; null leaves it where it is.</param>
    public static Tensor[] Checkpoint(Func<Tensor, Tensor[]> block, Tensor input, Func<Tensor, IKeptInput>? keep = null) =>
        CheckpointFrame.Run(block, input, keep ?? (x => new KeptInput(x)));

    /// <summary>
    /// Runs <paramref name="block"/> on <paramref name="input"/> and keeps what its backward needs, except results of kernels that are cheap to compute
    /// again from what is kept (norms, the gate of an MLP): those are recomputed when backward arrives, bit for bit.
    /// </summary>
    public static Tensor[] Selective(Func<Tensor, Tensor[]> block, Tensor input)
    {
        Bridge.EnsureLoaded();
        using var scope = TensorScope.Open("block");
        Bridge.Check(Bridge.SelectiveBegin());
        try
        {
            return Array.ConvertAll(block(input), scope.Release);
        }
        finally
        {
            Bridge.Check(Bridge.CheckpointEnd());
        }
    }

    /// <summary>A function that autograd knows nothing of, as a step of its graph.</summary>
    /// <param name="forward">Runs at once, without being recorded.</param>
    /// <param name="backward">
    /// The gradient of <paramref name="x"/> from that of the result, in the backward pass: wherever <paramref name="x"/> has one, even if it is all zeros.
    /// </param>
    public static Tensor Step(Tensor x, Func<Tensor, Tensor> forward, Func<Tensor, Tensor> backward)
    {
        Tensor result;
        using (NoGrad())
        {
            using var scope = TensorScope.Open("step");
            result = scope.Release(forward(x));
        }

        return IsRecording && x.RequiresGrad ? ManagedStep.Attach(x, result, backward) : result;
    }

    /// <summary>Calls back after the gradient of a leaf has been accumulated in a backward pass; replaces an earlier callback.</summary>
    public static void OnAccumulated(Tensor leaf, Action call) => GradientCallback.Attach(leaf, call);

    /// <summary>Calls back in every backward pass when the whole gradient of a result is there, before its inputs get theirs.</summary>
    public static void OnGradient(Tensor result, Action call) => GradientCallback.AttachBefore(result, call);

    internal static void SetPending(Exception e) => pending = ExceptionDispatchInfo.Capture(e);

    /// <summary>A managed exception that had to travel through native code is thrown again as it was.</summary>
    internal static void RethrowPending()
    {
        var thrown = pending;
        pending = null;
        thrown?.Throw();
    }
}
