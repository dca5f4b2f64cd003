using Fovea.Tensors.Native;

namespace Fovea.Tensors;

/// <summary>Memory of a GPU in bytes; all zero for the CPU and where the bridge was built without CUDA's headers.</summary>
/// <param name="Allocated">In tensors now.</param>
/// <param name="Peak">The most in tensors since the start or <see cref="ResetPeak"/>.</param>
/// <param name="Reserved">Held by libtorch's allocator.</param>
/// <param name="Free">Of the GPU, for anybody.</param>
/// <param name="Total">Of the GPU.</param>
internal readonly record struct DeviceMemory(long Allocated, long Peak, long Reserved, long Free, long Total)
{
    /// <summary>False where the bridge was built without CUDA's headers, and for the CPU.</summary>
    public bool IsKnown => Total > 0;

    public static DeviceMemory Of(Device device)
    {
        Bridge.EnsureLoaded();
        var bytes = Bridge.MemoryOf(device.Packed);
        return new DeviceMemory(bytes[0], bytes[1], bytes[2], bytes[3], bytes[4]);
    }

    public static void ResetPeak(Device device)
    {
        Bridge.EnsureLoaded();
        Bridge.Check(Bridge.ResetPeakMemory(device.Packed));
    }
}
