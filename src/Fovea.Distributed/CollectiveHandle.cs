using Fovea.Nn;
using Fovea.Tensors;
using Fovea.Tensors.Collectives;

namespace Fovea.Distributed;

/// <summary>A collective under way. Results are there after <see cref="Wait"/>; disposing without waiting gives them up.</summary>
internal sealed class CollectiveHandle : IDisposable
{
    private readonly Mesh? mesh;
    private readonly string what;
    private readonly Tensor? scratch;
    private readonly Action<Tensor>? finish;
    private Work? work;

    internal CollectiveHandle(Mesh? mesh, Work? work, string what, Tensor? scratch = null, Action<Tensor>? finish = null)
    {
        this.mesh = mesh;
        this.work = work;
        this.what = what;
        this.scratch = scratch;
        this.finish = finish;
    }

    /// <summary>What a trace calls it, and since when it is under way; null where none is taken.</summary>
    internal (string Name, long Start)? Traced { get; init; }

    /// <summary>Whether only the ranks that share this rank's sequences take part.</summary>
    internal bool AmongNeighbours { get; init; }

    /// <summary>One that has nothing to wait for.</summary>
    internal static CollectiveHandle Done => new(null, null, string.Empty);

    /// <summary>What a trace calls it.</summary>
    internal static string Verb(CollectiveKind kind) => kind switch
    {
        CollectiveKind.AllGather => "gather",
        CollectiveKind.AllReduce => "sum",
        CollectiveKind.Broadcast => "broadcast",
        _ => "reduce",
    };

    /// <exception cref="MeshException">A rank died, hangs or failed.</exception>
    public void Wait()
    {
        if (work is null)
        {
            return;
        }

        try
        {
            mesh!.Await(work, what, AmongNeighbours);
            if (Traced is var (name, start) && work.Ended is { } end)
            {
                Profile.Add(name, start, end);
            }

            if (scratch is not null)
            {
                using var grad = Autograd.NoGrad();
                using var scope = TensorScope.Open("step");
                finish!(scratch);
            }
        }
        finally
        {
            Dispose();
        }
    }

    public void Dispose()
    {
        work?.Dispose();
        work = null;
        scratch?.Dispose();
    }
}
