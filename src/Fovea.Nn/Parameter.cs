using Fovea.Nn.FourBit;
using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>One weight of the ledger: its checkpoint name, value, and whether it is trainable.</summary>
internal sealed class Parameter
{
    private readonly List<(Func<Tensor, Tensor> Fold, IReadOnlyList<Tensor> Held)> changes = [];
    private Tensor value;

    /// <summary>A frozen matrix in 4 bits: its bytes are the value.</summary>
    internal Parameter(string name, FourBitWeight packed, DType compute)
        : this(name, [packed.Outputs, packed.Inputs], packed.Bytes, trainable: false, compute) => Packed = packed;

    internal Parameter(string name, long[] shape, Tensor value, bool trainable, DType compute)
    {
        Name = name;
        Shape = shape;
        this.value = value;
        Trainable = trainable;
        Compute = compute;
        Master = value.DType;
    }

    /// <summary>As the checkpoint spells it.</summary>
    public string Name { get; }

    public long[] Shape { get; }

    /// <summary>The stored value: the fp32 master of a trainable weight, else the element type that the model computes in.</summary>
    public Tensor Value => StandIn ?? value;

    /// <summary>The value where it is kept in 4 bits; null as a rule. Whoever multiplies by it asks this first (<see cref="FourBitWeight.Times"/>).</summary>
    internal FourBitWeight? Packed { get; private set; }

    /// <summary>What the value is to be packed into when it is placed; null as a rule.</summary>
    internal FourBitFormat? Format { get; set; }

    /// <summary>Whether the value is kept in 4 bits, or will be once it is placed.</summary>
    internal bool IsFourBit => Packed is not null || Format is not null;

    /// <summary>Elements of <see cref="Value"/>: bytes where it is kept in 4 bits.</summary>
    internal long StoredCount => IsFourBit ? (Count + 1) / 2 : Count;

    /// <summary>A shape in place of the value, while a pass is measured (<see cref="BlockMeter"/>).</summary>
    internal Tensor? StandIn { get; set; }

    public bool Trainable { get; }

    /// <summary>The block it was taken below, an adapter's that of its linear; null for the few weights that belong to none.</summary>
    public Block? Block { get; internal init; }

    /// <summary>Whether it is a matrix of an adapter, not a weight of the model.</summary>
    public bool IsAdapter { get; internal init; }

    /// <summary>Whether it belongs to a layer norm: weight decay leaves those alone whatever their names.</summary>
    public bool IsNorm { get; internal set; }

    /// <summary>The element type in which the model uses it.</summary>
    public DType Compute { get; }

    /// <summary>Who keeps it if it is sharded over ranks; null where <see cref="Value"/> is all of it all the time.</summary>
    public IWeightHolder? Holder { get; set; }

    /// <summary>The element type in which it is trained, or else stored.</summary>
    public DType Master { get; private set; }

    public long Count
    {
        get
        {
            var count = 1L;
            foreach (var size in Shape)
            {
                count *= size;
            }

            return count;
        }
    }

    /// <summary>The value as it is to be placed, with what was left to be folded into it, in the open scope.</summary>
    public Tensor Stored() => changes.Aggregate(Dense(), (value, change) => change.Fold(value));

    /// <summary>The stored value as a matrix: what is kept in 4 bits is unpacked to the element type of the computation.</summary>
    public Tensor Dense() => Packed is null || StandIn is not null ? Value.Detach() : Packed.Unpack(Compute);

    /// <summary>The matrix that a gathered value is, in the open scope.</summary>
    internal Tensor Of(Tensor gathered) => Packed is null ? gathered : (Packed with { Bytes = gathered }).Unpack(Compute);

    /// <summary>The value in the element type of the computation, while somebody keeps it (<see cref="Lora.AdapterCopies"/>).</summary>
    internal Tensor? Copy { get; set; }

    /// <summary>The value in the element type of the computation; gradients flow back into the master.</summary>
    public Tensor Use() => Copy is { } copy ? Value.UsedAs(copy) : Packed is null || StandIn is not null ? Value.To(Compute) : Packed.Unpack(Compute);

    /// <summary>Single rows of it that learn in their place; null as a rule.</summary>
    public TrainedRows? Rows { get; internal set; }

    /// <summary>A table's rows of 64-bit ids [T], with those that learn.</summary>
    public Tensor Lookup(Tensor ids) => Rows?.Lookup(ids) ?? Use().Embedding(ids);

    /// <summary>x W^T of a table without a bias, with the rows that learn.</summary>
    public Tensor Logits(Tensor x) => x.Linear(Use()) is var logits && Rows is { } rows ? rows.Correct(logits, x) : logits;

    /// <summary>Has it gathered, if it is sharded over ranks, until the result is disposed; null if there is nothing to do.</summary>
    public IDisposable? Open() => Holder?.Open(this);

    /// <summary>All of it in the element type in which it is trained, for saving.</summary>
    public WholeWeight Whole() => Holder?.Whole(this) ?? (Packed is null ? new WholeWeight(Value) : Unpacked());

    private WholeWeight Unpacked()
    {
        var whole = Packed!.Unpack(Compute).Keep();
        return new WholeWeight(whole, whole);
    }

    /// <summary>Packs the value if it is to be, and brings what is packed to its device; frees what it was.</summary>
    internal void Pack()
    {
        using var scope = TensorScope.Open("weight");
        if (IsFourBit && changes.Count > 0)
        {
            throw new InvalidOperationException($"{Name} is kept in 4 bits, into which nothing can be folded");
        }

        if (Format is { } format)
        {
            Hold(FourBitWeight.Pack(value.Detach().To(Compute), format));
        }
        else if (Packed is { } packed && packed.Bytes.Device != packed.Format.Code.Device)
        {
            Hold(packed with { Bytes = value.To(packed.Format.Code.Device).Keep() });
        }
    }

    /// <summary>
    /// Lengths of the rows of what the model computes with, fp32 [out], in the open scope. Codes of 4 bits that wait to be placed go on waiting on the host.
    /// </summary>
    internal Tensor RowNorms()
    {
        if (Format is { } format)
        {
            Hold(FourBitWeight.Pack(value.Detach().To(Compute), format, Device.Cpu));
        }

        return Packed is { } packed
            ? (packed with { Bytes = packed.Bytes.To(packed.Format.Code.Device) }).RowNorms(Compute)
            : Stored().To(Compute).RowNorms();
    }

    private void Hold(FourBitWeight packed)
    {
        value.Dispose();
        (Packed, Format, value) = (packed, null, packed.Bytes);
        (value.Name, Master) = (Name, value.DType);
    }

    /// <summary>Replaces the value by one that somebody else fills and empties; frees the old one.</summary>
    /// <param name="master">The element type in which it is trained.</param>
    public void Adopt(Tensor value, DType master, IWeightHolder holder)
    {
        if (Packed is { } packed)
        {
            using (packed.Bytes)
            {
                (Packed, this.value, Holder) = (packed with { Bytes = value }, value, holder);
            }

            value.Name = Name;
            return;
        }

        Replace(value);
        value.RequiresGrad = Trainable;
        (Master, Holder) = (master, holder);
    }

    /// <summary>Replaces the value (merging adapters, weights saved beside an adapter); frees the old one. The new one belongs to the ledger.</summary>
    public void Replace(Tensor value)
    {
        Forget();
        Free();
        this.value = value;
        Master = value.DType;
        value.Name = Name;
    }

    /// <summary>Leaves a change to whoever reads the value (<see cref="Stored"/>), a part at a time if it is sharded over ranks.</summary>
    /// <param name="fold">From the value so far, in the open scope.</param>
    /// <param name="held">What it needs; freed when the value is replaced.</param>
    internal void DeferMerge(Func<Tensor, Tensor> fold, params IReadOnlyList<Tensor> held) => changes.Add((fold, held));

    /// <summary>Frees the value.</summary>
    internal void Free()
    {
        foreach (var tensor in Packed?.Tensors ?? [value])
        {
            tensor.Dispose();
        }

        Packed = null;
    }

    /// <summary>Drops what was left to be folded in.</summary>
    internal void Forget()
    {
        foreach (var tensor in changes.SelectMany(change => change.Held))
        {
            tensor.Dispose();
        }

        changes.Clear();
    }
}
