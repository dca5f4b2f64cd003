using System.Runtime.InteropServices;

namespace Fovea.Tensors.Native;

/// <summary>A stream as native/device.cpp packs it; all zero where the device has none.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct NativeStream(long Id, long Index, long Type);
