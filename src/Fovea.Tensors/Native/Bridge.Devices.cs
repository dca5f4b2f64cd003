using System.Runtime.InteropServices;

namespace Fovea.Tensors.Native;

/// <summary>The bridge's exports about devices: streams, memory, names.</summary>
internal static unsafe partial class Bridge
{
    [LibraryImport(Lib, EntryPoint = "fovea_use_device")]
    internal static partial int UseDevice(long device);

    [LibraryImport(Lib, EntryPoint = "fovea_stream_new")]
    internal static partial int StreamNew(long device, out NativeStream stream);

    [LibraryImport(Lib, EntryPoint = "fovea_stream_current")]
    internal static partial int StreamCurrent(long device, out NativeStream stream);

    [LibraryImport(Lib, EntryPoint = "fovea_stream_use")]
    internal static partial int StreamUse(in NativeStream stream);

    [LibraryImport(Lib, EntryPoint = "fovea_stream_wait")]
    internal static partial int StreamWait(in NativeStream waiter, in NativeStream awaited);

    [LibraryImport(Lib, EntryPoint = "fovea_stream_keeps")]
    internal static partial int StreamKeeps(nint tensor, in NativeStream stream);

    [LibraryImport(Lib, EntryPoint = "fovea_event_record")]
    internal static partial int EventRecord(in NativeStream stream, out nint made);

    [LibraryImport(Lib, EntryPoint = "fovea_event_wait")]
    internal static partial int EventWait(nint made, long microseconds, out int done);

    [LibraryImport(Lib, EntryPoint = "fovea_event_close")]
    internal static partial void EventClose(nint made);

    [LibraryImport(Lib, EntryPoint = "fovea_kernel_state")]
    private static partial int KernelState(byte* buffer, int capacity);

    [LibraryImport(Lib, EntryPoint = "fovea_synchronize")]
    internal static partial int Synchronize(long device);

    [LibraryImport(Lib, EntryPoint = "fovea_device_memory")]
    private static partial int DeviceMemory(long device, long* bytes);

    [LibraryImport(Lib, EntryPoint = "fovea_reset_peak_memory")]
    internal static partial int ResetPeakMemory(long device);

    [LibraryImport(Lib, EntryPoint = "fovea_device_name")]
    private static partial int DeviceName(long device, byte* buffer, int capacity);

    [LibraryImport(Lib, EntryPoint = "fovea_cuda_level")]
    internal static partial int CudaLevel();

    internal static long[] MemoryOf(long device)
    {
        var bytes = new long[5];
        fixed (long* first = bytes)
        {
            Check(DeviceMemory(device, first));
        }

        return bytes;
    }

    internal static string KernelState()
    {
        const int capacity = 16384;
        var buffer = stackalloc byte[capacity];
        return KernelState(buffer, capacity) < 0 ? throw new TorchException(LastErrorText()) : Marshal.PtrToStringUTF8((nint)buffer) ?? string.Empty;
    }

    internal static string NameOf(long device)
    {
        const int capacity = 256;
        var buffer = stackalloc byte[capacity];
        Check(DeviceName(device, buffer, capacity));
        return Marshal.PtrToStringUTF8((nint)buffer) ?? string.Empty;
    }
}
