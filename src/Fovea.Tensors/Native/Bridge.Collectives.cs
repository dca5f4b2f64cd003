using System.Runtime.InteropServices;

namespace Fovea.Tensors.Native;

/// <summary>The exports of native/distributed.cpp.</summary>
internal static unsafe partial class Bridge
{
    [LibraryImport(Lib, EntryPoint = "fovea_backends")]
    internal static partial int Backends();

    [LibraryImport(Lib, EntryPoint = "fovea_wire_bytes")]
    internal static partial long WireBytes();

    [LibraryImport(Lib, EntryPoint = "fovea_store_open", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int StoreOpen(string host, int port, int server, int world, long timeoutMs, string prefix, out nint store);

    [LibraryImport(Lib, EntryPoint = "fovea_store_close")]
    internal static partial void StoreClose(nint store);

    [LibraryImport(Lib, EntryPoint = "fovea_store_set", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int StoreSet(nint store, string key, byte* data, long length);

    [LibraryImport(Lib, EntryPoint = "fovea_store_set_once", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int StoreSetOnce(nint store, string key, byte* data, long length, out int set);

    [LibraryImport(Lib, EntryPoint = "fovea_store_has", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int StoreHas(nint store, string key, out int found);

    [LibraryImport(Lib, EntryPoint = "fovea_store_get", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int StoreGet(nint store, string key, byte* buffer, long capacity, out long length);

    [LibraryImport(Lib, EntryPoint = "fovea_store_add", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int StoreAdd(nint store, string key, long amount, out long sum);

    [LibraryImport(Lib, EntryPoint = "fovea_group_open", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int GroupOpen(
        nint store, int rank, int world, string name, string address, long device, long timeoutMs, out nint group);

    [LibraryImport(Lib, EntryPoint = "fovea_group_close")]
    internal static partial void GroupClose(nint group);

    [LibraryImport(Lib, EntryPoint = "fovea_group_abort")]
    internal static partial int GroupAbort(nint group);

    [LibraryImport(Lib, EntryPoint = "fovea_collective")]
    internal static partial int Collective(nint group, int kind, nint output, nint input, int root, int timed, out nint pending);

    [LibraryImport(Lib, EntryPoint = "fovea_work_wait")]
    internal static partial int WorkWait(nint pending, long sliceMs);

    [LibraryImport(Lib, EntryPoint = "fovea_work_ended")]
    internal static partial long WorkEnded(nint pending);

    [LibraryImport(Lib, EntryPoint = "fovea_work_close")]
    internal static partial void WorkClose(nint pending);
}
