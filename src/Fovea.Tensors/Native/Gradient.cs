namespace Fovea.Tensors.Native;

/// <summary>The calls into the autograd engine that pass lists of handles.</summary>
internal static unsafe class Gradient
{
    internal static void Backward(Tensor[] roots, Tensor[]? gradients)
    {
        var rootHandles = HandlesOf(roots);
        var gradientHandles = gradients is null ? null : HandlesOf(gradients);
        int status;
        fixed (nint* r = rootHandles)
        fixed (nint* g = gradientHandles)
        {
            status = Bridge.Backward(r, g, roots.Length, 0);
        }

        GC.KeepAlive(roots);
        GC.KeepAlive(gradients);
        Bridge.Check(status);
    }

    internal static Tensor?[] Of(Tensor root, Tensor[] inputs, Tensor? gradient)
    {
        var inputHandles = HandlesOf(inputs);
        var results = new nint[inputs.Length];
        var rootHandle = root.Handle;
        var gradientHandle = gradient?.Handle ?? 0;
        int status;
        fixed (nint* i = inputHandles)
        fixed (nint* o = results)
        {
            status = Bridge.Gradients(&rootHandle, gradient is null ? null : &gradientHandle, 1, i, inputs.Length, o);
        }

        GC.KeepAlive(root);
        GC.KeepAlive(inputs);
        GC.KeepAlive(gradient);
        Bridge.Check(status);
        return Array.ConvertAll(results, handle => handle == 0 ? null : new Tensor(handle));
    }

    private static nint[] HandlesOf(Tensor[] tensors) => Array.ConvertAll(tensors, tensor => tensor.Handle);
}
