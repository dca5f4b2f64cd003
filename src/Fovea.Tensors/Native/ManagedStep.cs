using System.Runtime.InteropServices;

namespace Fovea.Tensors.Native;

/// <summary>Makes a managed function a step of autograd's graph.</summary>
internal static unsafe class ManagedStep
{
    /// <param name="result">Computed from <paramref name="input"/> without being recorded.</param>
    /// <param name="backward">The gradient of the input from that of the result.</param>
    internal static Tensor Attach(Tensor input, Tensor result, Func<Tensor, Tensor> backward)
    {
        var context = Pinned.Open(backward);
        nint made = 0;
        Door.With(input, result, (from, to) => Bridge.ManagedStep(from, to, &Backward, Pinned.Free, context, out made));
        return new Tensor(made);
    }

    [UnmanagedCallersOnly]
    private static int Backward(nint context, nint gradient, nint* result)
    {
        try
        {
            using var scope = TensorScope.Open("step");
            *result = TensorMemory.Retained(Pinned.Of<Func<Tensor, Tensor>>(context)(new Tensor(gradient)));
            return 0;
        }
        catch (Exception e)
        {
            return Pinned.Failed(e);
        }
    }
}
