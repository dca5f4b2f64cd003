using System.Diagnostics;
using Fovea.Tensors;
using Fovea.Tensors.Collectives;

namespace Fovea.Distributed;

/// <summary>How ranks find one another, and how they part.</summary>
internal sealed partial class Mesh
{
    // A heart beats on a thread of its own: minutes of silence mean that the process or its host is gone, however long a step may take.
    private static readonly TimeSpan LongestSilence = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(3);

    /// <summary>Joins the ranks that were started together; one rank joins nobody.</summary>
    /// <param name="timeout">How long a rank may be waited for, in a collective or at the start (<c>ddp_timeout</c>).</param>
    /// <param name="choose">Where the tensors of collectives live; null is the CPU.</param>
    /// <exception cref="MeshException">A rank cannot be reached or did not come.</exception>
    public static Mesh Join(RankVariables variables, TimeSpan timeout, Func<Device>? choose = null) =>
        Join(
            variables, timeout, choose,
            (store, device, hosts) => Rendezvous.Open(store, variables, variables.Rank, variables.WorldSize, "world", device, timeout, hosts));

    /// <param name="open">Connects the ranks for collectives; null of it for ranks that only know of one another.</param>
    internal static Mesh Join(
        RankVariables variables, TimeSpan timeout, Func<Device>? choose, Func<TcpStore, Device, string[], ProcessGroup?> open)
    {
        if (variables.WorldSize == 1)
        {
            return Alone();
        }

        var patience = Rendezvous.Patience(timeout);
        var host = Environment.MachineName;
        var device = choose?.Invoke() ?? Device.Cpu;
        TcpStore? store = null;
        MeshWatch? watch = null;
        try
        {
            store = Rendezvous.Connect(variables, patience, variables.Rank == 0 && !variables.StoreIsServed);
            var hosts = Rendezvous.Meet(store, variables, host, patience);
            watch = new MeshWatch(
                Rendezvous.Connect(variables, patience, serves: false), variables.Rank, hosts, timeout < LongestSilence ? timeout : LongestSilence);
            var mesh = new Mesh(variables, hosts, timeout, device, store, watch, open(store, device, hosts));
            if (device.Type == DeviceType.Cuda)
            {
                DeviceReads.WaitWith(mesh.Settle);
            }

            return mesh;
        }
        catch
        {
            watch?.Dispose();
            store?.Dispose();
            throw;
        }
    }

    /// <summary>Tells the other ranks why this one ends, so that they end with the same words instead of waiting.</summary>
    public void Fail(Exception e)
    {
        if (store is null)
        {
            return;
        }

        blamed = e is MeshException known
            ? new MeshFailure(known.Rank, known.Host, known.Cause)
            : new MeshFailure(Rank, hosts[Rank], $"stopped: {e.Message}");
        Ask(() => store.SetOnce("failure", blamed.Text));
    }

    /// <summary>Leaves; rank 0 stays until the others have left, because it serves the store.</summary>
    public void Dispose()
    {
        if (closed || store is null)
        {
            return;
        }

        closed = true;
        Ask(() => store.Add("left", 1));
        if (IsMain && !unreachable)
        {
            Outlast(store);
        }

        DeviceReads.WaitWith(null);
        if (blamed is not null || unreachable)
        {
            // Closing would wait for collectives that will never end. The process ends soon, and all of this with it; but a GPU would be waited for.
            _ = device.Type == DeviceType.Cpu || group is null || Quietly(Task.Run(Abort), Linger);
            return;
        }

        watch!.Dispose();
        Sequences?.Dispose();
        group?.Dispose();
        store.Dispose();
    }

    private void Abort()
    {
        Sequences?.Group.Abort();
        group?.Abort();
    }

    /// <summary>Waits until the others have read what they need; not long once something went wrong.</summary>
    private void Outlast(TcpStore store)
    {
        // Whoever is to blame may be unable to leave.
        var leaving = blamed is null || blamed.Rank < 0 || blamed.Rank == Rank ? WorldSize : WorldSize - 1;
        for (var start = Stopwatch.StartNew(); store.Add("left", 0) < leaving; Thread.Sleep(20))
        {
            blamed ??= watch!.Failure;
            if (start.Elapsed > (blamed is null ? timeout : Linger))
            {
                return;
            }
        }
    }

    /// <summary>Asks the store if it still answers: it may be gone with rank 0, or be silent because rank 0 was stopped.</summary>
    private void Ask(Action ask)
    {
        if (!unreachable)
        {
            var asked = Task.Run(ask);
            unreachable = !Quietly(asked, Linger) || !asked.IsCompletedSuccessfully;
        }
    }
}
