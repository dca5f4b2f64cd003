using Fovea.Tensors;

namespace Fovea.Generation.Engine;

/// <summary>How much memory keys and values may take where nobody says it.</summary>
internal static class CacheMemory
{
    private const int Share = 4;
    private const long WhereUnknown = 1L << 30;

    /// <summary>A quarter of what is there: of this process's memory, or of what is free on the GPU.</summary>
    public static long Of(Device device) => device.Type switch
    {
        DeviceType.Cpu => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / Share,
        DeviceType.Cuda => DeviceMemory.Of(device).Free is > 0 and var free ? free / Share : WhereUnknown,
        _ => WhereUnknown,
    };
}
