using Fovea.Tensors.Native;

namespace Fovea.Tensors;

/// <summary>
/// An order of work on a device: what is queued on one stream runs in order, beside that of others. On the CPU and on meta nothing is queued and all
/// of this does nothing.
/// </summary>
internal sealed class DeviceStream
{
    private DeviceStream(NativeStream native) => Native = native;

    internal NativeStream Native { get; }

    /// <summary>One of the device's pool.</summary>
    public static DeviceStream New(Device device)
    {
        Bridge.EnsureLoaded();
        Bridge.Check(Bridge.StreamNew(device.Packed, out var stream));
        return new DeviceStream(stream);
    }

    /// <summary>Where this thread queues its work on the device now.</summary>
    public static DeviceStream Current(Device device)
    {
        Bridge.EnsureLoaded();
        Bridge.Check(Bridge.StreamCurrent(device.Packed, out var stream));
        return new DeviceStream(stream);
    }

    /// <summary>Work that this thread queues from now on goes here.</summary>
    public void Use() => Bridge.Check(Bridge.StreamUse(Native));

    /// <summary>What is queued here from now on starts after what <paramref name="other"/> holds now. The host does not wait.</summary>
    public void After(DeviceStream other) => Bridge.Check(Bridge.StreamWait(Native, other.Native));

    /// <summary>The memory of a tensor that was made on another stream is not given to others before this stream has done with it.</summary>
    public void Keeps(Tensor tensor) => Door.With(tensor, handle => Bridge.StreamKeeps(handle, Native));
}
