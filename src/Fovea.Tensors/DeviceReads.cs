namespace Fovea.Tensors;

/// <summary>
/// Who is asked before the host reads from a device. Such a read waits for everything that is queued there, and cannot be given up: where other processes
/// take part in that, a wait of their own comes first.
/// </summary>
internal static class DeviceReads
{
    private static volatile Action<Device>? before;

    /// <summary>Whether anybody is asked.</summary>
    internal static bool AreWatched => before is not null;

    /// <summary>Has <paramref name="wait"/> called before each read, on the reading thread; null ends that.</summary>
    public static void WaitWith(Action<Device>? wait) => before = wait;

    /// <summary>To be called before x is copied to a device.</summary>
    internal static void Announce(Tensor x, Device to)
    {
        if (to.Type == DeviceType.Cpu && before is { } wait && x.Device.Type != DeviceType.Cpu)
        {
            wait(x.Device);
        }
    }
}
