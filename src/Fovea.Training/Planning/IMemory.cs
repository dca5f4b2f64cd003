using Fovea.Tensors;

namespace Fovea.Training.Planning;

/// <summary>The memory of the machine as a run asks for it, in bytes. On the CPU device and host are one.</summary>
internal interface IMemory
{
    /// <summary>Of the GPU that computes; null where the CPU does. All zero where nobody can tell.</summary>
    DeviceMemory? Device { get; }

    /// <summary>What can still be taken of the host's.</summary>
    long HostFree { get; }

    /// <summary>What this process holds of the host's, without mapped files.</summary>
    long HostUsed { get; }

    /// <summary>The most that this process ever held of the host's.</summary>
    long HostPeak { get; }

    /// <summary>In use where the run computes; null when unknown.</summary>
    long? Used => Device is { } device ? device.IsKnown ? device.Allocated : null : HostUsed;

    /// <summary>Held by the GPU's allocator; null on the CPU and when unknown.</summary>
    long? Reserved => Device is { IsKnown: true } device ? device.Reserved : null;

    /// <summary>The most ever in use where the run computes; null when unknown.</summary>
    long? Peak => Device is { } device ? device.IsKnown ? device.Peak : null : HostPeak;
}
