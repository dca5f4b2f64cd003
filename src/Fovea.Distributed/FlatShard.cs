using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Distributed;

/// <summary>
/// Some weights end to end in one buffer, of which every rank keeps an equal share: the weights are tensors over the buffer, whose memory is there only
/// while they are needed. For trainable weights the share is the master, and this rank has its gradient alone.
/// </summary>
internal sealed class FlatShard : IDisposable
{
    private readonly Mesh mesh;
    private readonly string name;
    private readonly Parameter[] parameters;
    private readonly long[] starts;
    private readonly bool[] present;
    private readonly long share;
    private readonly DType type;
    private readonly bool resident;
    private readonly Tensor whole;
    private readonly Tensor own; // this rank's share inside the buffer
    private readonly Tensor kept; // this rank's share where it stays: the master if trainable
    private readonly Tensor? ready; // the same in the buffer's type, where the master is far away or of another type
    private readonly Tensor? gradient;
    private readonly DeviceStream copies;
    private Tensor? local;

    /// <param name="parameters">All of one kind: learning or not, of one element type.</param>
    /// <param name="type">Element type in the buffer.</param>
    /// <param name="master">Element type of the share.</param>
    /// <param name="resident">Whether the buffer keeps its memory.</param>
    /// <param name="copies">Where a share that lies in the host's memory comes from there, beside what is computed.</param>
    public FlatShard(
        Mesh mesh, string name, IReadOnlyList<Parameter> parameters, DType type, DType master, bool resident, ShardingOptions options, Device device,
        IWeightHolder holder, DeviceStream copies)
    {
        this.copies = copies;
        this.mesh = mesh;
        this.name = name;
        this.parameters = [.. parameters];
        this.type = type;
        this.resident = resident;
        Learns = parameters[0].Trainable;
        present = new bool[parameters.Count];
        starts = new long[parameters.Count];
        var end = 0L;
        for (var i = 0; i < starts.Length; i++)
        {
            starts[i] = end;
            end += Up(parameters[i].StoredCount, options.Alignment);
        }

        Count = Up(end, options.Alignment * mesh.WorldSize);
        share = Count / mesh.WorldSize;
        var home = (Learns ? options.OffloadOptimizer : options.OffloadParameters) ? Device.Cpu : device;
        using var scope = TensorScope.Open("weight");
        using var grad = Autograd.NoGrad();
        whole = CreateOps.Empty([Count], type, device).Keep();
        own = whole.Over(From, share).Keep();
        kept = Place(share, master, home, device, options.PinMemory);
        ready = Learns && home != device && !resident ? Place(share, type, options.OffloadParameters ? Device.Cpu : device, device, options.PinMemory) : null;
        gradient = Learns ? Place(share, DType.F32, home, device, options.PinMemory) : null;
        Fill(master, holder);
        if (!resident)
        {
            whole.ReleaseStorage();
        }
    }

    public bool Learns { get; }

    /// <summary>Elements of the buffer, the same on all ranks.</summary>
    public long Count { get; }

    /// <summary>The weights in it, in their order.</summary>
    public IReadOnlyList<Parameter> Weights => parameters;

    public bool Contains(Parameter parameter) => Array.IndexOf(parameters, parameter) >= 0;

    private long From => mesh.Rank * share;

    /// <summary>What of it this rank's optimizer updates.</summary>
    public IEnumerable<ParameterShard> Parts()
    {
        for (var i = 0; i < parameters.Length && Learns; i++)
        {
            var (first, last) = Overlap(i);
            if (first < last)
            {
                var index = i;
                yield return new ParameterShard(
                    parameters[i], first - starts[i], kept.Over(first - From, last - first).Keep(),
                    () => present[index] ? gradient!.Slice(0, first - From, last - From) : null);
            }
        }
    }

    /// <summary>
    /// Gives the buffer memory and starts to fill it with everybody's share, beside what the device computes: what is queued later must follow
    /// <see cref="Arrive"/>.
    /// </summary>
    public CollectiveHandle Gather()
    {
        using var grad = Autograd.NoGrad();
        var compute = DeviceStream.Current(whole.Device);
        whole.AllocateStorage();

        // Whoever had that memory before has done with it by then.
        copies.After(compute);
        copies.Use();
        try
        {
            own.Fetch_(ready ?? kept);
            return mesh.AllGather(whole, own, $"the weights of {name}");
        }
        finally
        {
            compute.Use();
        }
    }

    /// <summary>Once the gathering has been waited for: what is computed from now on finds the weights.</summary>
    public void Arrive() => DeviceStream.Current(whole.Device).After(copies);

    public void ReleaseStorage()
    {
        if (!resident)
        {
            whole.ReleaseStorage();
        }
    }

    /// <summary>Takes the gradients that backward has left and adds them to this rank's, for a later <see cref="Reduce"/>.</summary>
    public void Collect()
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("step");
        local ??= CreateOps.Zeros([Count], DType.F32, whole.Device).Keep();
        for (var i = 0; i < parameters.Length; i++)
        {
            if (Take(i) is { } found)
            {
                local.Slice(0, starts[i], starts[i] + parameters[i].StoredCount).Add_(found);
            }
        }
    }

    /// <summary>Takes the gradients that backward has left and starts to sum them; this rank's share of the sum is added to its gradient.</summary>
    public Reduction Reduce()
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("step");
        Tensor sent;
        if (local is not null)
        {
            Collect();
            (sent, local) = (local, null);
        }
        else
        {
            sent = CreateOps.Zeros([Count], type, whole.Device).Keep();
            for (var i = 0; i < parameters.Length; i++)
            {
                if (Take(i) is { } found)
                {
                    sent.Slice(0, starts[i], starts[i] + parameters[i].StoredCount).Copy_(found);
                }
            }
        }

        var sum = CreateOps.Empty([share], DType.F32, whole.Device).Keep();
        return new Reduction(mesh.ReduceScatter(sum, sent, $"the gradients of {name}"), sent, sum, gradient!);
    }

    /// <summary>One number a weight: whether this rank met a gradient of it in this step.</summary>
    public IEnumerable<double> Present => present.Select(met => met ? 1.0 : 0);

    /// <summary>Says of which weights any rank has a gradient.</summary>
    /// <returns>What is left of the numbers.</returns>
    public ReadOnlySpan<double> SetPresent(ReadOnlySpan<double> numbers)
    {
        for (var i = 0; i < present.Length; i++)
        {
            present[i] = numbers[i] > 0;
        }

        return numbers[present.Length..];
    }

    /// <summary>Begins a new step.</summary>
    public void Clear()
    {
        Array.Clear(present);
        gradient?.Zero_();
    }

    /// <summary>The master has changed: the buffer, or the share that is sent, follows.</summary>
    public CollectiveHandle? Publish()
    {
        if (resident)
        {
            return Gather();
        }

        ready?.Copy_(kept);
        return null;
    }

    /// <summary>All of it in the element type in which it is trained, in the open scope. All ranks do this together.</summary>
    public Tensor GatherMaster()
    {
        using var grad = Autograd.NoGrad();
        var all = CreateOps.Empty([Count], kept.DType, whole.Device);
        var part = all.Slice(0, From, From + share);
        part.Copy_(kept);
        mesh.AllGather(all, part, $"the weights of {name}").Wait();
        return all;
    }

    /// <summary>Whether any rank has a gradient of a weight in this step; known once they have been summed.</summary>
    public bool HasGradient(Parameter parameter) => present[Array.IndexOf(parameters, parameter)];

    /// <summary>Whether a weight that must be looked at as a whole falls to this rank: it has the element in the middle.</summary>
    public bool Owns(Parameter parameter) => (starts[Array.IndexOf(parameters, parameter)] + (parameter.Count / 2)) / share == mesh.Rank;

    /// <summary>The summed gradients of all weights, fp32 [Count] on the device, in the open scope. All ranks do this together.</summary>
    public Tensor GatherGradients()
    {
        var all = CreateOps.Empty([Count], DType.F32, whole.Device);
        var part = all.Slice(0, From, From + share);
        part.Copy_(gradient!);
        mesh.AllGather(all, part, $"the gradients of {name}").Wait();
        return all;
    }

    /// <summary>What the owners of the weights made of them, to those who have parts, in the open scope. All ranks do this together.</summary>
    /// <param name="all">fp32 [Count], zero where this rank is not the owner.</param>
    /// <returns>This rank's share.</returns>
    public Tensor Scatter(Tensor all)
    {
        var mine = CreateOps.Empty([share], DType.F32, whole.Device);
        mesh.ReduceScatter(mine, all, $"the updates of {name}").Wait();
        return mine;
    }

    /// <summary>A part inside what <see cref="Scatter"/> gave.</summary>
    public Tensor Of(ParameterShard part, Tensor mine)
    {
        var first = starts[Array.IndexOf(parameters, part.Parameter)] + part.Start - From;
        return mine.Slice(0, first, first + part.Count);
    }

    /// <summary>A weight inside what <see cref="GatherMaster"/> or <see cref="GatherGradients"/> gave.</summary>
    public Tensor Of(Parameter parameter, Tensor all) => all.Over(starts[Array.IndexOf(parameters, parameter)], ShapeOf(parameter));

    public void Dispose()
    {
        foreach (var tensor in (ReadOnlySpan<Tensor?>)[whole, own, kept, ready, gradient, local])
        {
            tensor?.Dispose();
        }
    }

    /// <summary>Of what is kept: codes of 4 bits lie end to end.</summary>
    private static long[] ShapeOf(Parameter parameter) => parameter.IsFourBit ? [parameter.StoredCount] : parameter.Shape;

    private static long Up(long count, long multiple) => (count + multiple - 1) / multiple * multiple;

    /// <summary>Memory of the host from which a GPU reads by itself, where it is not the device's own.</summary>
    private static Tensor Place(long count, DType type, Device where, Device device, bool pinned)
    {
        var tensor = where == device ? CreateOps.Empty([count], type, device) : CreateOps.Staging([count], type, device, pinned);
        tensor.Zero_();
        return tensor.Keep();
    }

    /// <summary>The elements of a weight, by their place in the buffer, that fall to this rank.</summary>
    private (long First, long Last) Overlap(int index) =>
        (Math.Max(From, starts[index]), Math.Min(From + share, starts[index] + parameters[index].StoredCount));

    /// <summary>
    /// Copies this rank's share, or everything where the buffer stays, from where the weights are now, and takes each of them over; nothing else of them is
    /// read, unless they must be rounded to 4 bits first.
    /// </summary>
    private void Fill(DType master, IWeightHolder holder)
    {
        if (resident)
        {
            whole.Zero_();
        }

        for (var i = 0; i < parameters.Length; i++)
        {
            using var scope = TensorScope.Open("weight");
            parameters[i].Pack();
            var value = parameters[i].IsFourBit ? parameters[i].Value : parameters[i].Stored().Reshape(-1);
            if (resident)
            {
                whole.Slice(0, starts[i], starts[i] + parameters[i].StoredCount).Copy_(value);
            }

            var (first, last) = Overlap(i);
            if (first < last)
            {
                kept.Slice(0, first - From, last - From).Copy_(value.Slice(0, first - starts[i], last - starts[i]));
            }

            parameters[i].Adopt(whole.Over(starts[i], ShapeOf(parameters[i])).Keep(), master, holder);
        }

        ready?.Copy_(kept);
    }

    private Tensor? Take(int index)
    {
        var value = parameters[index].Value;
        var found = value.Grad();
        present[index] |= found is not null;
        value.SetGrad(null);
        return found?.Reshape(-1);
    }
}
