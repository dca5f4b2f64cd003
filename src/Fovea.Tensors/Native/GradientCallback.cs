using System.Runtime.InteropServices;

namespace Fovea.Tensors.Native;

/// <summary>A managed action that the autograd engine runs when a gradient is there.</summary>
internal static unsafe class GradientCallback
{
    internal static void Attach(Tensor leaf, Action call)
    {
        var context = Pin(call);
        Door.With(leaf, handle => Bridge.OnAccumulated(handle, &Call, &Free, context));
    }

    internal static void AttachBefore(Tensor result, Action call)
    {
        var context = Pin(call);
        Door.With(result, handle => Bridge.OnGradient(handle, &Call, &Free, context));
    }

    private static nint Pin(Action call)
    {
        Handles.CallbackOpened();
        return GCHandle.ToIntPtr(GCHandle.Alloc(call));
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
