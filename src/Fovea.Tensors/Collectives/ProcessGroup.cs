using Fovea.Tensors.Native;

namespace Fovea.Tensors.Collectives;

/// <summary>
/// Processes that compute together (c10d's ProcessGroup): Gloo for CPU tensors, NCCL for CUDA's. Collectives are matched by their order, so every rank
/// must start the same ones in the same order. The group is also known to <c>_c10d_functional::*</c> by its name.
/// </summary>
internal sealed class ProcessGroup : IDisposable
{
    private nint handle;

    /// <param name="address">This process's own address, by which the others reach it; empty for that of its host name.</param>
    /// <param name="device">Where the tensors live; CUDA needs NCCL, the CPU Gloo.</param>
    /// <param name="timeout">After which Gloo gives up a collective.</param>
    public ProcessGroup(TcpStore store, int rank, int worldSize, string name, string address, Device device, TimeSpan timeout)
    {
        Bridge.EnsureLoaded();
        Bridge.Check(Bridge.GroupOpen(store.Connection, rank, worldSize, name, address, device.Packed, TcpStore.Milliseconds(timeout), out handle));
        Name = name;
    }

    public string Name { get; }

    /// <summary>Whether the libtorch at hand can connect processes over CPU tensors.</summary>
    public static bool HasGloo => Has(1);

    /// <summary>Bytes that this process has sent over its open TCP connections, headers not counted.</summary>
    public static long WireBytes
    {
        get
        {
            Bridge.EnsureLoaded();
            return Bridge.WireBytes();
        }
    }

    /// <summary>Starts a collective; the tensors are contiguous and stay alive until it is done.</summary>
    /// <param name="input">The same tensor where it works in place.</param>
    /// <param name="timed">Whether <see cref="Work.Ended"/> will be asked for.</param>
    public Work Start(CollectiveKind kind, Tensor output, Tensor input, int root = 0, bool timed = false)
    {
        var group = handle != 0 ? handle : throw new ObjectDisposedException(nameof(ProcessGroup));
        nint pending = 0;
        Door.With(output, input, (to, from) => Bridge.Collective(group, (int)kind, to, from, root, timed ? 1 : 0, out pending));
        return new Work(pending);
    }

    /// <summary>Ends collectives on GPUs that would never end, because a rank is gone; the group is of no use afterwards.</summary>
    public void Abort() => Bridge.Check(Bridge.GroupAbort(handle != 0 ? handle : throw new ObjectDisposedException(nameof(ProcessGroup))));

    public void Dispose()
    {
        var closing = Interlocked.Exchange(ref handle, 0);
        if (closing != 0)
        {
            Bridge.GroupClose(closing);
        }
    }

    private static bool Has(int flag)
    {
        Bridge.EnsureLoaded();
        return (Bridge.Backends() & flag) != 0;
    }
}
