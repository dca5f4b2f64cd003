using System.Runtime.InteropServices;

namespace Fovea.Tensors.Native;

/// <summary>A managed action that the autograd engine runs when a gradient is there.</summary>
internal static unsafe class GradientCallback
{
    internal static void Attach(Tensor leaf, Action call)
    {
        var pinned = GCHandle.Alloc(call);
        Handles.CallbackOpened();
        Bridge.Check(Bridge.OnAccumulated(leaf.Handle, &Call, &Free, GCHandle.ToIntPtr(pinned)));
    }

    internal static void AttachBefore(Tensor result, Action call)
    {
        var pinned = GCHandle.Alloc(call);
        Handles.CallbackOpened();
        Bridge.Check(Bridge.OnGradient(result.Handle, &Call, &Free, GCHandle.ToIntPtr(pinned)));
    }

    [UnmanagedCallersOnly]
    private static int Call(nint context)
    {
        try
        {
            ((Action)GCHandle.FromIntPtr(context).Target!)();
            return 0;
        }
        catch (Exception e)
        {
            Autograd.SetPending(e);
            return 1;
        }
    }

    [UnmanagedCallersOnly]
    private static void Free(nint context)
    {
        GCHandle.FromIntPtr(context).Free();
        Handles.CallbackClosed();
    }
}
