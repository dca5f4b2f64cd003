using Fovea.Nn.FourBit;
using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>
/// Every weight of a model: building a layer names, loads, casts and registers its weights here. Knows which learn, finds linears by path,
/// and says what a checkpoint has too little or too much of.
/// </summary>
internal sealed class Ledger(IWeightSource source, LedgerOptions options) : IDisposable
{
    private readonly List<Parameter> parameters = [];
    private readonly List<Linear> linears = [];
    private readonly List<Adaptable> adaptables = [];
    private readonly List<Block> blocks = [];
    private readonly Dictionary<string, Parameter> byName = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Parameter> adaptersByName = new(StringComparer.Ordinal);
    private readonly List<TrainedRows> rows = [];
    private readonly List<string> missing = [];
    private readonly List<FourBitFormat> formats = [];
    private FourBitFormat? packing;
    private HostInputs? hostInputs;

    /// <summary>The root path of the model.</summary>
    public Weights Root => new(this, string.Empty);

    /// <summary>Every weight in the order in which the model was built.</summary>
    public IReadOnlyList<Parameter> Parameters => parameters;

    /// <summary>Every linear layer in the order in which the model was built.</summary>
    public IReadOnlyList<Linear> Linears => linears;

    /// <summary>Everything that adapters can be put on, in the order in which the model was built: linears, and experts' weights.</summary>
    public IReadOnlyList<Adaptable> Adaptables => adaptables;

    /// <summary>What runs in one piece, in the order of the forward pass: the vision side first. Some weights belong to none (the last norm).</summary>
    public IReadOnlyList<Block> Blocks => blocks;

    /// <summary>Told when blocks run, so that it can bring their weights; null where all weights are there all the time.</summary>
    public IBlockGate? Gate { get; private set; }

    public LedgerOptions Options => options;

    /// <summary>Where the model computes.</summary>
    public Device Device => Meter is null ? options.Device : Device.Meta;

    /// <summary>Whether it computes as on the CPU.</summary>
    internal bool OnHost => Meter?.OnHost ?? options.Device.Type == DeviceType.Cpu;

    /// <summary>Where inputs of blocks wait that do not stay on the device (<see cref="BlockMode.Offload"/>).</summary>
    internal HostInputs HostInputs => hostInputs ??= new HostInputs(options.Device);

    /// <summary>What measures the model now; null as a rule.</summary>
    internal BlockMeter? Meter { get; set; }

    /// <summary>Added to the embeddings of the tokens of a pass that trains [T, E]; null as a rule.</summary>
    public Tensor? TokenNoise { get; set; }

    /// <summary>What the optimizer updates, base weights before adapters.</summary>
    public IEnumerable<Parameter> Trainable => parameters.Where(p => p.Trainable).Concat(AdapterParameters);

    /// <summary>The weights of the adapters that are attached.</summary>
    public IEnumerable<Parameter> AdapterParameters =>
        rows.Select(trained => trained.Rows).Concat(adaptables.Where(l => l.Lora is not null).SelectMany(l => l.Lora!.Parameters));

    /// <summary>Single rows of tables that are trained.</summary>
    public IReadOnlyList<TrainedRows> Rows => rows;

    /// <summary>Elements of the model's own weights, a tied weight counted once.</summary>
    public long Count => parameters.Sum(p => p.Count);

    /// <summary>Embeddings of tokens with <see cref="TokenNoise"/>.</summary>
    public Tensor WithNoise(Tensor x_TE) => TokenNoise is { } noise ? x_TE.Add(noise.To(x_TE.DType)) : x_TE;

    /// <summary>The weight of this name, the model's or an adapter's.</summary>
    public Parameter this[string name] => adaptersByName.TryGetValue(name, out var adapter) ? adapter : byName[name];

    public bool Contains(string name) => byName.ContainsKey(name) || adaptersByName.ContainsKey(name);

    /// <summary>Throws when the checkpoint lacked weights or holds some that no layer asked for.</summary>
    /// <param name="ignored">Names in the checkpoint that may stay unused (for instance a tied head that was saved all the same).</param>
    /// <param name="held">What the files contain, if the source does not report it: shown beside what is missing.</param>
    public void CheckComplete(string where, Func<string, bool>? ignored = null, IEnumerable<string>? held = null)
    {
        var left = source.Names.Where(n => !byName.ContainsKey(n) && !(ignored?.Invoke(n) ?? false)).ToList();
        if (missing.Count == 0 && left.Count == 0)
        {
            return;
        }

        throw new CheckpointException(
            $"{where} does not fit the model its config.json describes."
            + List("missing", missing) + List("not part of the model", left) + Others(left.Count > 0 ? left : held));
    }

    public void Dispose()
    {
        foreach (var adapter in adaptables.Select(adaptable => adaptable.Lora).OfType<LoraAdapter>())
        {
            adapter.Dispose();
        }

        foreach (var trained in rows)
        {
            trained.Dispose();
        }

        foreach (var parameter in parameters)
        {
            parameter.Forget();
            parameter.Free();
        }

        formats.ForEach(format => format.Dispose());
    }

    /// <summary>Places what was deferred and nobody took over.</summary>
    public void Settle()
    {
        foreach (var parameter in parameters.Where(p => options.Deferred && p.Holder is null))
        {
            if (parameter.IsFourBit)
            {
                parameter.Pack();
                continue;
            }

            using var scope = TensorScope.Open("weight");
            var read = parameter.Stored();
            var value = read.To(parameter.Trainable ? options.Master : options.Compute).To(options.Device);
            parameter.Replace((parameter.Trainable && ReferenceEquals(value, read) ? read.Clone() : value).Keep());
            parameter.Value.RequiresGrad = parameter.Trainable;
        }
    }

    /// <summary>From now on blocks run behind a gate; a ledger has one at most.</summary>
    public void RunBehind(IBlockGate gate) =>
        Gate = Gate is null ? gate : throw new InvalidOperationException("the weights of this model are sharded already");

    internal Block Add(Weights root, ModelPart part, string name, BlockKind kind)
    {
        if (root.Owner is { } around)
        {
            throw new InvalidOperationException($"{root.Path} is to be the block '{name}', but its weights belong to '{around.Name}'");
        }

        var block = new Block(root, part, name, kind);
        var language = blocks.FindIndex(other => other.Part == ModelPart.Language);
        blocks.Insert(part == ModelPart.Language || language < 0 ? blocks.Count : language, block);
        return block;
    }

    /// <param name="isMatrix">A linear's weight, which may be kept in 4 bits.</param>
    internal Parameter Take(Weights place, long[] shape, bool isMatrix = false)
    {
        var name = place.Path;
        if (byName.TryGetValue(name, out var known))
        {
            return known; // tied: the same weight under the same name
        }

        try
        {
            return Made(place, name, shape, isMatrix);
        }
        catch
        {
            Dispose(); // the model will not be built, and nobody else has what was taken so far
            throw;
        }
    }

    private Parameter Made(Weights place, string name, long[] shape, bool isMatrix)
    {
        var trainable = options.Trainable(name);
        var parameter = isMatrix && !trainable && source.Has(name) && source.IsFourBit(name)
            ? new Parameter(name, Stored(name, shape), options.Compute) { Block = place.Owner }
            : new Parameter(name, shape, Load(name, shape, trainable ? options.Master : options.Compute), trainable, options.Compute)
            {
                Block = place.Owner,
                Format = isMatrix && !trainable && options.FourBit is { } fourBit && options.Packs(name) ? Format(fourBit) : null,
            };
        if (!options.Deferred)
        {
            parameter.Pack();
        }

        parameter.Value.Name = name;
        if (trainable && !options.Deferred)
        {
            parameter.Value.RequiresGrad = true;
        }

        parameters.Add(parameter);
        place.Owner?.Add(parameter);
        byName.Add(name, parameter);
        return parameter;
    }

    /// <summary>The shape in which the source holds a weight; null where it has none of its own.</summary>
    internal long[]? StoredShape(string name) => source.Has(name) ? source.ShapeOf(name) : null;

    internal void Register(Linear linear)
    {
        linears.Add(linear);
        Register((Adaptable)linear);
    }

    internal void Register(Adaptable adaptable)
    {
        adaptables.Add(adaptable);
        adaptable.Weight.Block?.Add(adaptable);
    }

    internal void Attach(Adaptable adaptable, LoraAdapter adapter)
    {
        adaptable.Lora = adapter;
        foreach (var parameter in adapter.Parameters)
        {
            adaptersByName.Add(parameter.Name, parameter);
        }
    }

    internal void Attach(TrainedRows trained)
    {
        trained.Table.Rows = trained;
        rows.Add(trained);
        adaptersByName.Add(trained.Rows.Name, trained.Rows);
    }

    /// <summary>The rows are the caller's from now on.</summary>
    internal void Detach(TrainedRows trained)
    {
        trained.Table.Rows = null;
        rows.Remove(trained);
        adaptersByName.Remove(trained.Rows.Name);
    }

    /// <summary>The adapter's weights are the caller's from now on.</summary>
    internal LoraAdapter? Detach(Adaptable adaptable)
    {
        var adapter = adaptable.Lora;
        adaptable.Lora = null;
        foreach (var parameter in adapter?.Parameters ?? [])
        {
            adaptersByName.Remove(parameter.Name);
        }

        return adapter;
    }

    /// <summary>The value in 4 bits as the source has it.</summary>
    private FourBitWeight Stored(string name, long[] shape)
    {
        using var scope = TensorScope.Open("weight");
        var stored = source.ReadFourBit(name, shape);
        var format = Kept(
            known => known.Equals(stored.Code, stored.Map, stored.Block), () => new FourBitFormat(stored.Code, stored.Map, stored.Block, options.Device));
        return FourBitWeight.Of(stored, format, options.Deferred ? Device.Cpu : options.Device);
    }

    /// <summary>What weights are packed into that come in 16 bits; one for all of them.</summary>
    private FourBitFormat Format(FourBitOptions fourBit) => Kept(format => format == packing, () => packing = new FourBitFormat(fourBit, options.Device));

    private FourBitFormat Kept(Predicate<FourBitFormat> right, Func<FourBitFormat> make)
    {
        if (formats.Find(right) is { } known)
        {
            return known;
        }

        formats.Add(make());
        return formats[^1];
    }

    private static string List(string what, List<string> names) => names.Count == 0
        ? string.Empty
        : $"\n  {names.Count} {what}: {string.Join(", ", names.Take(8))}{(names.Count > 8 ? ", ..." : string.Empty)}";

    /// <summary>What the files have instead of what is missing.</summary>
    private string Others(IEnumerable<string>? held)
    {
        if (missing.Count == 0 || held is null)
        {
            return string.Empty;
        }

        var free = held.Where(name => !byName.ContainsKey(name) || missing.Contains(name)).ToList();
        var pairs = missing.Select(name => (Name: name, Near: free.MaxBy(other => SharedEnd(name, other)))).Where(pair => pair.Near is not null)
            .Where(pair => SharedEnd(pair.Name, pair.Near!) > 1).Take(3).Select(pair => $"{pair.Near} for {pair.Name}").ToList();
        return (pairs.Count == 0 ? string.Empty : $"\n  nearest in the files: {string.Join(", ", pairs)}")
            + (source.Names.Count > 0 ? string.Empty : List("names in the files that nothing asks for", free));
    }

    /// <summary>Parts of two names, parted by dots, that are equal from the end.</summary>
    private static int SharedEnd(string a, string b) =>
        a.Split('.').Reverse().Zip(b.Split('.').Reverse()).TakeWhile(pair => pair.First == pair.Second).Count();

    private Tensor Load(string name, long[] shape, DType dtype)
    {
        if (!source.Has(name))
        {
            missing.Add(name);
            return CreateOps.Empty(shape, dtype, Device.Meta).Keep();
        }

        using var scope = TensorScope.Open("weight");
        var read = source.Read(name, shape);
        if (!read.Shape.AsSpan().SequenceEqual(shape))
        {
            throw new CheckpointException($"{name}: the model expects [{string.Join(", ", shape)}], the checkpoint has [{string.Join(", ", read.Shape)}]");
        }

        if (options.Deferred)
        {
            return read.Keep();
        }

        var value = read.To(dtype).To(options.Device);

        // Trainable weights are written in place, so they must not share memory with a mapped file.
        return (options.Trainable(name) && ReferenceEquals(value, read) ? read.Clone() : value).Keep();
    }
}
