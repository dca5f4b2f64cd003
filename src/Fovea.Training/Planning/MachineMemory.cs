using Fovea.Tensors;

namespace Fovea.Training.Planning;

/// <summary>The memory that there is.</summary>
internal sealed class MachineMemory(Device device) : IMemory
{
    public DeviceMemory? Device => device.Type == DeviceType.Cpu ? null : DeviceMemory.Of(device);

    public long HostFree => ProcessMemory.Available;

    public long HostUsed => ProcessMemory.Anonymous;

    public long HostPeak => ProcessMemory.Peak;
}
