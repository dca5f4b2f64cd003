using System.Runtime.InteropServices;

namespace Fovea.Tensors.Native;

/// <summary>One value crossing the door; the mirror of <c>fovea::Value</c> in native/bridge.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeValue
{
    public ArgTag Tag;
    public int Count;
    public long Bits;
}
