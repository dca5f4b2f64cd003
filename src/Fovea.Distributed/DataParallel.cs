using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Distributed;

/// <summary>
/// Data parallel: every rank holds all trainable weights, and gradients are summed over ranks once a step. They travel in parts, the last layers' first, while
/// backward still computes the rest. Every rank sends the same parts in the same order whatever its data was, so that ranks with fewer micro-batches,
/// without images or without a trained token never keep others waiting. With one rank nothing happens.
/// </summary>
internal sealed class DataParallel : ParallelStrategy
{
    private readonly Bucket[] buckets;
    private readonly Lock gate = new();
    private bool sending;
    private int next;

    /// <summary>Gives every rank the weights of rank 0 and from then on listens to their gradients.</summary>
    /// <param name="parameters">The trainable weights, in the order of the forward pass.</param>
    /// <param name="late">A weight whose gradient does not come from backward (the head's); it travels last.</param>
    /// <param name="bucketBytes">A part is sent as soon as it has so many bytes.</param>
    public DataParallel(Mesh mesh, IEnumerable<Parameter> parameters, Parameter? late, long bucketBytes)
        : base(mesh)
    {
        var all = parameters.ToList();
        Parts = [.. all.Select(p => new ParameterShard(p))];
        buckets = mesh.WorldSize == 1 ? [] : Divide(all, late, bucketBytes);
        foreach (var bucket in buckets)
        {
            foreach (var parameter in bucket.Parameters)
            {
                mesh.Broadcast(parameter.Value, what: $"the broadcast of {parameter.Name}").Wait();
                Autograd.OnAccumulated(parameter.Value, () => Accumulated(bucket));
            }
        }
    }

    public override IReadOnlyList<ParameterShard> Parts { get; }

    /// <summary>Pieces in which gradients travel.</summary>
    public int Buckets => buckets.Length;

    /// <summary>Pieces of the last step that were under way before backward had ended.</summary>
    public int Overlapped { get; private set; }

    /// <summary>Only in a step's last pass are gradients sent.</summary>
    protected override void Begin(ForwardPass pass)
    {
        lock (gate)
        {
            sending = pass is { Learns: true, Last: true };
        }
    }

    /// <summary>After the last micro-batch: sends what has not gone yet, waits, and puts the sums in place of the gradients.</summary>
    public override void Finish()
    {
        using var span = Profile.Open("wait for gradients");
        lock (gate)
        {
            sending = false;
            Overlapped = next;
            while (next < buckets.Length)
            {
                Send(buckets[next++]);
            }

            next = 0;
        }

        foreach (var bucket in buckets)
        {
            bucket.Wait();
        }

        if (buckets.Length == 0)
        {
            return;
        }

        // One reading for all of them: on a GPU each would wait for all that is queued.
        using var scope = TensorScope.Open("step");
        var present = ShapeOps.Cat([.. buckets.Select(bucket => bucket.Present)]).ToArray<float>();
        var at = 0;
        foreach (var bucket in buckets)
        {
            bucket.Take(present.AsSpan(at, bucket.Parameters.Length));
            at += bucket.Parameters.Length;
        }
    }

    public override void Dispose()
    {
        foreach (var bucket in buckets)
        {
            bucket.Drop();
        }
    }

    private static Bucket[] Divide(IEnumerable<Parameter> parameters, Parameter? late, long bucketBytes)
    {
        var order = parameters.Reverse().OrderBy(p => p == late).ToList();
        List<Bucket> buckets = [];
        List<Parameter> open = [];
        var bytes = 0L;
        foreach (var parameter in order)
        {
            open.Add(parameter);
            bytes += parameter.Count * sizeof(float);
            if (bytes >= bucketBytes || parameter == order[^1])
            {
                buckets.Add(new Bucket([.. open], buckets.Count + 1));
                open.Clear();
                bytes = 0;
            }
        }

        return [.. buckets];
    }

    private void Accumulated(Bucket bucket)
    {
        lock (gate)
        {
            if (!sending)
            {
                return;
            }

            bucket.Arrived();
            while (next < buckets.Length && buckets[next].IsComplete)
            {
                Send(buckets[next++]);
            }
        }
    }

    private void Send(Bucket bucket)
    {
        using var span = Profile.Open("send gradients");
        bucket.Send(Mesh);
    }

    /// <summary>Some weights whose gradients travel together, and behind them one number a weight: how many ranks have a gradient of it.</summary>
    private sealed class Bucket(Parameter[] parameters, int number)
    {
        private int arrived;
        private Tensor? flat;
        private CollectiveHandle? pending;

        public Parameter[] Parameters => parameters;

        public bool IsComplete => arrived == parameters.Length;

        public void Arrived()
        {
            if (flat is not null)
            {
                throw new InvalidOperationException("a gradient changed after it had been sent to the other ranks");
            }

            arrived++;
        }

        /// <summary>Packs the gradients, frees them, and starts their sum.</summary>
        public void Send(Mesh mesh)
        {
            using var grad = Autograd.NoGrad();
            using var scope = TensorScope.Open("step");
            var parts = new Tensor[parameters.Length + 1];
            var present = new float[parameters.Length];
            for (var i = 0; i < parameters.Length; i++)
            {
                var value = parameters[i].Value;
                var gradient = value.Grad();
                present[i] = gradient is null ? 0 : 1;
                parts[i] = gradient?.To(DType.F32).Reshape(-1) ?? CreateOps.Zeros([parameters[i].Count], device: value.Device);
                value.SetGrad(null);
            }

            parts[^1] = CreateOps.On(parts[0].Device, present);
            flat = ShapeOps.Cat(parts).Keep();
            pending = mesh.AllReduce(flat, $"the sum of gradients, part {number}");
        }

        /// <summary>Of each weight how many ranks have a gradient of it, in the open scope; valid after <see cref="Wait"/>.</summary>
        public Tensor Present => flat!.Slice(0, flat!.Count - parameters.Length, flat.Count);

        /// <summary>Waits for the sum.</summary>
        public void Wait() => pending!.Wait();

        /// <summary>Hands the sum out; a weight of which no rank has a gradient keeps none.</summary>
        public void Take(ReadOnlySpan<float> present)
        {
            using (TensorScope.Open("step"))
            {
                var sums = flat!;
                var at = 0L;
                for (var i = 0; i < parameters.Length; i++)
                {
                    var (parameter, start) = (parameters[i], at);
                    at += parameter.Count;
                    if (present[i] > 0)
                    {
                        parameter.Value.SetGrad(sums.Slice(0, start, at).View(parameter.Shape).To(parameter.Value.DType));
                    }
                }
            }

            Drop();
        }

        public void Drop()
        {
            arrived = 0;
            pending?.Dispose();
            flat?.Dispose();
            (pending, flat) = (null, null);
        }
    }
}
