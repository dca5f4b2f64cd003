using Fovea.Native;

namespace Fovea.Tensors.Native;

/// <summary>
/// Bytes of libtorch's allocator of pinned memory, from and to which a GPU copies by itself, without the host waiting. It may be freed while a copy is under
/// way: the allocator gives it to nobody before that is done. For the CPU it is memory like other.
/// </summary>
internal sealed unsafe class PinnedMemory : WritableMemory
{
    private readonly Tensor tensor;

    private PinnedMemory(Tensor tensor, long length)
        : base((byte*)tensor.Memory().Address, length) => this.tensor = tensor;

    public static PinnedMemory Allocate(long length, Device device)
    {
        using var scope = TensorScope.Open("pinned memory");
        return new PinnedMemory(CreateOps.Staging([Math.Max(length, 1)], DType.U8, device).Keep(), length);
    }

    private protected override void Free() => tensor.Dispose();
}
