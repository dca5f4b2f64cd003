using Fovea.Tensors.Native;

namespace Fovea.Tensors;

/// <summary>Memory that comes and goes while the tensors over it stay, and autograd's graphs with them.</summary>
internal static class TensorStorage
{
    /// <summary>
    /// A tensor of its own over a part of a dense one's memory. Unlike a view it may be a leaf, and what is written through one of them is not noticed by
    /// graphs that saved another: whoever writes answers for that.
    /// </summary>
    /// <param name="start">In elements.</param>
    public static Tensor Over(this Tensor whole, long start, params long[] shape) => TensorMemory.Over(whole, start, shape);

    /// <summary>Frees the memory of a tensor and of all that lie over it; nobody may read them until <see cref="AllocateStorage"/>.</summary>
    public static void ReleaseStorage(this Tensor whole) => Door.With(whole, handle => Bridge.Hold(handle, 0));

    /// <summary>Gives it memory again, with whatever is in there; nothing happens while it has some.</summary>
    public static void AllocateStorage(this Tensor whole) => Door.With(whole, handle => Bridge.Hold(handle, 1));
}
