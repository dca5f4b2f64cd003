using System.Runtime.InteropServices;

namespace Fovea.Tensors.Native;

/// <summary>Managed objects that native code holds by a number until it gives them back.</summary>
internal static unsafe class Pinned
{
    /// <summary>What native code calls to give an object back; for those with nothing to do at that moment.</summary>
    internal static delegate* unmanaged<nint, void> Free => &FreeNatively;

    internal static nint Open(object held)
    {
        Handles.CallbackOpened();
        return GCHandle.ToIntPtr(GCHandle.Alloc(held));
    }

    internal static T Of<T>(nint context)
        where T : class => (T)GCHandle.FromIntPtr(context).Target!;

    internal static void Close(nint context)
    {
        GCHandle.FromIntPtr(context).Free();
        Handles.CallbackClosed();
    }

    /// <summary>What a callback returns to native code after an exception, which the caller of the autograd engine then throws.</summary>
    internal static int Failed(Exception error)
    {
        Autograd.SetPending(error);
        return 1;
    }

    [UnmanagedCallersOnly]
    private static void FreeNatively(nint context) => Close(context);
}
