using System.Runtime.InteropServices;

namespace Fovea.Tensors.Native;

/// <summary>What libtorch knows of one tensor; the mirror of <c>Facts</c> in native/tensors.cpp.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeFacts
{
    public const int MaxDims = 8;

    public long DType;
    public long Device;
    public long Dims;
    public long RequiresGrad;
    public long Contiguous;
    public nint Data;
    public long Storage;
    public fixed long Sizes[MaxDims];
    public fixed long Strides[MaxDims];
}
