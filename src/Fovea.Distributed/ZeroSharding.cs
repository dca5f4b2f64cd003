using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Distributed;

/// <summary>
/// ZeRO (arXiv 1910.02054): every rank keeps equal shards of the masters, optimizer state and summed gradients of the trainable weights; with stage 3 also of
/// all weights, frozen ones included, which are all-gathered unit by unit while the model runs and freed afterwards. Stage 1 reduces gradients once per
/// step, stages 2 and 3 after every micro-batch.
/// </summary>
internal sealed class ZeroSharding : ParallelStrategy, IBlockGate, IWeightHolder
{
    private readonly ShardingOptions options;
    private readonly List<ShardUnit> units = [];
    private readonly Dictionary<Block, ShardUnit> byBlock = [];
    private readonly ShardUnit? head;
    private readonly ShardUnit? rest;
    private readonly Dictionary<Parameter, (ShardUnit Unit, FlatShard Flat)> places = [];
    private readonly List<ParameterShard> parts = [];
    private readonly Dictionary<ShardUnit, int> opened = [];
    private ShardSchedule? schedule;
    private bool fresh = true;
    private (FlatShard Flat, Tensor Value)? served;
    private bool serving;

    /// <summary>Takes over the weights of a ledger, whose values were deferred, and settles what it does not take. Its blocks run behind this.</summary>
    /// <param name="head">The output head.</param>
    public ZeroSharding(Mesh mesh, Ledger ledger, Parameter head, ShardingOptions options)
        : base(mesh)
    {
        this.options = options;
        // Neighbours on different streams: waiting for one unit does not wait for the next, which is on its way by then.
        DeviceStream[] streams = [DeviceStream.New(ledger.Options.Device), DeviceStream.New(ledger.Options.Device)];
        var divides = options.Stage == 3;
        foreach (var block in ledger.Blocks)
        {
            if (Make(block.Name, block, [.. block.Parameters, .. block.AdapterParameters], resident: !divides) is { } unit)
            {
                units.Add(unit);
                byBlock.Add(block, unit);
            }
        }

        this.head = head.Block is null
            ? Make("head", null, [head], resident: !divides)
            : places.TryGetValue(head, out var tied) ? tied.Unit : null;

        // The rest is small: it stays whole, and only its trainable part is sharded for the optimizer.
        rest = Make("rest", null, [.. ledger.Trainable.Where(p => p.Block is null && p != head)], resident: true);
        ledger.Settle();
        ledger.RunBehind(this);
        parts.AddRange(Layout.SelectMany(unit => unit.Flats).SelectMany(flat => flat.Parts()));

        ShardUnit? Make(string name, Block? block, List<Parameter> weights, bool resident)
        {
            // Where everything stays whole, what is frozen needs no buffer.
            var flats = weights.Where(p => p.Trainable || !resident)
                .GroupBy(p => (p.Trainable, p.IsAdapter, p.IsFourBit))
                .Select(kind => new FlatShard(
                    mesh, name, [.. kind],
                    kind.Key.IsFourBit ? DType.U8 : kind.Key.IsAdapter ? ledger.Options.Master : ledger.Options.Compute,
                    kind.Key.IsFourBit ? DType.U8 : kind.Key.Trainable ? ledger.Options.Master : ledger.Options.Compute,
                    resident, options, ledger.Options.Device, this,
                    streams[units.Count % streams.Length]))
                .ToList();
            if (flats.Count == 0)
            {
                return null;
            }

            var unit = new ShardUnit(name, block, flats, resident);
            foreach (var weight in weights)
            {
                if (flats.FirstOrDefault(flat => flat.Contains(weight)) is { } flat)
                {
                    places.Add(weight, (unit, flat));
                }
            }

            return unit;
        }
    }

    public override IReadOnlyList<ParameterShard> Parts => parts;

    public override Func<Tensor, Tensor>? SumOfParts => Total;

    public override IReadOnlyList<FlatShard> Divided => Mesh.WorldSize == 1 ? [] : [.. Learning()];

    /// <summary>What lies together, in the order in which it is sent: the blocks, the head unless a block holds it, the rest.</summary>
    internal IEnumerable<ShardUnit> Layout => ((IEnumerable<ShardUnit?>)[.. units, units.Contains(head!) ? null : head, rest]).OfType<ShardUnit>();

    public override bool RunsTogether => true;

    protected override void Begin(ForwardPass pass)
    {
        if (pass.Learns && fresh)
        {
            fresh = false;
            foreach (var flat in Learning())
            {
                flat.Clear();
            }
        }

        schedule = new ShardSchedule(ShardSchedule.Plan(units, head, rest, pass), sums: options.Stage > 1 || pass.Last);
    }

    protected override void End()
    {
        schedule?.End();
        schedule = null;
    }

    public override void Finish()
    {
        fresh = true;
        var flats = Learning().ToList();
        var met = flats.SelectMany(flat => flat.Present).ToArray();
        ReadOnlySpan<double> numbers = met.Length == 0 ? met : Mesh.Sum("the count of gradients", met);
        foreach (var flat in flats)
        {
            numbers = flat.SetPresent(numbers);
        }
    }

    public override void Publish()
    {
        using var span = Profile.Open("publish weights");
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("step");
        CollectiveHandle? last = null;
        foreach (var flat in Learning())
        {
            var next = flat.Publish();
            last?.Wait();
            last = next;
        }

        last?.Wait();
        foreach (var flat in Learning())
        {
            flat.Arrive();
        }
    }

    public void Enter(Block block)
    {
        if (byBlock.TryGetValue(block, out var unit))
        {
            Enter(unit);
        }
    }

    public void Leave(Block block)
    {
        if (byBlock.TryGetValue(block, out var unit))
        {
            Leave(unit);
        }
    }

    public void EnterBackward(Block block)
    {
        if (schedule is { } way && byBlock.TryGetValue(block, out var unit))
        {
            using var grad = Autograd.NoGrad();
            using var scope = TensorScope.Open("step");
            way.Reach(unit, backward: true);
        }
    }

    public IDisposable Open(Parameter parameter)
    {
        var unit = places[parameter].Unit;
        if (!opened.TryGetValue(unit, out var times))
        {
            Enter(unit);
        }

        opened[unit] = times + 1;
        return new Lease(() => Close(unit));
    }

    public bool IsWhole(Parameter parameter) => places[parameter].Unit.IsResident;

    /// <summary>Only while rank 0 writes and the others serve it: <see cref="OnMain"/>.</summary>
    public WholeWeight Whole(Parameter parameter)
    {
        var flat = places[parameter].Flat;
        if (served?.Flat != flat)
        {
            if (!serving && Mesh.WorldSize > 1)
            {
                throw new InvalidOperationException($"{parameter.Name} is sharded over ranks; it can be read whole only where all of them take part");
            }

            Serve(Flats().ToList().IndexOf(flat));
        }

        var value = parameter.Of(flat.Of(parameter, served!.Value.Value)).Keep();
        return new WholeWeight(value, value);
    }

    public override void OnMain(Action write)
    {
        const int nothing = -1;
        try
        {
            if (Mesh.IsMain)
            {
                serving = true;
                write();
                Ask(nothing);
                return;
            }

            while (Ask(nothing) is var wanted and >= 0)
            {
                Gather(wanted);
            }
        }
        finally
        {
            serving = false;
            Forget();
        }
    }

    public override void Save(CheckpointContent content)
    {
        if (content.Optimizer is { } write)
        {
            Mesh.Barrier("the start of a checkpoint");
            write(Mesh.Rank, Mesh.WorldSize);
        }

        if (content is { Optimizer: not null, WithoutWeights: { } companions })
        {
            Mesh.OnMain(companions);
        }
        else
        {
            OnMain(content.Weights);
        }

        Mesh.Barrier("the end of a checkpoint");
    }

    public override void Dispose()
    {
        schedule?.Dispose();
        Forget();
        foreach (var part in parts)
        {
            part.Value.Dispose();
        }

        foreach (var unit in Layout)
        {
            unit.Dispose();
        }
    }

    private Tensor Total(Tensor number)
    {
        using var scope = TensorScope.Open("step");
        var sum = number.Clone();
        Mesh.AllReduce(sum, "the norm of the gradients").Wait();
        return scope.Release(sum);
    }

    private void Enter(ShardUnit unit)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("step");
        if (schedule is { } way)
        {
            way.Reach(unit, backward: false);
        }
        else
        {
            unit.Start();
            unit.Wait();
        }
    }

    private void Leave(ShardUnit unit)
    {
        if (schedule is { } way)
        {
            way.Leave(unit);
        }
        else
        {
            unit.ReleaseStorage();
        }
    }

    /// <summary>Who opens a weight that is open already shares it.</summary>
    private void Close(ShardUnit unit)
    {
        if (--opened[unit] == 0)
        {
            opened.Remove(unit);
            Leave(unit);
        }
    }

    private IEnumerable<FlatShard> Flats() => Layout.SelectMany(unit => unit.Flats);

    private IEnumerable<FlatShard> Learning() => Flats().Where(flat => flat.Learns);

    private void Serve(int index)
    {
        Ask(index);
        Gather(index);
    }

    /// <summary>Rank 0 says which buffer comes next; every rank gets the answer.</summary>
    private int Ask(int wanted) => (int)Mesh.Sum("the wish for weights", Mesh.IsMain ? wanted : 0)[0];

    private void Gather(int index)
    {
        Forget();
        var flat = Flats().ElementAt(index);
        using var scope = TensorScope.Open("weight");
        served = (flat, flat.GatherMaster().Keep());
    }

    private void Forget()
    {
        served?.Value.Dispose();
        served = null;
    }

    private sealed class Lease(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
