using System.Runtime.InteropServices;

namespace Fovea.Tensors.Native;

/// <summary>A managed action that the autograd engine runs when a gradient is there.</summary>
internal static unsafe class GradientCallback
{
    internal static void Attach(Tensor leaf, Action call)
    {
        var context = Pinned.Open(call);
        Door.With(leaf, handle => Bridge.OnAccumulated(handle, &Call, Pinned.Free, context));
    }

    internal static void AttachBefore(Tensor result, Action call)
    {
        var context = Pinned.Open(call);
        Door.With(result, handle => Bridge.OnGradient(handle, &Call, Pinned.Free, context));
    }

    [UnmanagedCallersOnly]
    private static int Call(nint context)
    {
        try
        {
            Pinned.Of<Action>(context)();
            return 0;
        }
        catch (Exception e)
        {
            return Pinned.Failed(e);
        }
    }
}
