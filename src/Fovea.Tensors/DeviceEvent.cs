using Fovea.Tensors.Native;

namespace Fovea.Tensors;

/// <summary>What a stream held when this was made. Where nothing is queued (CPU, meta) it is done at once.</summary>
internal sealed class DeviceEvent : IAwaited, IDisposable
{
    private nint handle;

    private DeviceEvent(nint handle) => this.handle = handle;

    /// <summary>Of the stream that this thread queues its work on now.</summary>
    public static DeviceEvent Now(Device device)
    {
        Bridge.Check(Bridge.EventRecord(DeviceStream.Current(device).Native, out var made));
        return new DeviceEvent(made);
    }

    public bool Wait(TimeSpan slice)
    {
        Bridge.Check(Bridge.EventWait(handle, (long)slice.TotalMicroseconds, out var done));
        return done != 0;
    }

    public void Dispose()
    {
        var closing = Interlocked.Exchange(ref handle, 0);
        if (closing != 0)
        {
            Bridge.EventClose(closing);
        }
    }
}
