namespace Fovea.Nn;

/// <summary>A path into the checkpoint, for instance <c>w / "layers" / 3 / "q_proj"</c>. Building a layer on it loads its weights.</summary>
internal readonly record struct Weights(Ledger Ledger, string Path)
{
    /// <summary>The block that weights taken here belong to; null outside of all.</summary>
    internal Block? Owner { get; init; }

    public static Weights operator /(Weights parent, string child) =>
        parent with { Path = parent.Path.Length == 0 ? child : $"{parent.Path}.{child}" };

    public static Weights operator /(Weights parent, int index) => parent / index.ToString();

    /// <summary>The weight of this name below the path.</summary>
    public Parameter Take(string name, params long[] shape) => Ledger.Take(this / name, shape);

    /// <summary>A linear's weight, which may be kept in 4 bits (<see cref="LedgerOptions.Packs"/>).</summary>
    public Parameter TakeMatrix(string name, long outputs, long inputs) => Ledger.Take(this / name, [outputs, inputs], isMatrix: true);

    /// <summary>Begins a block of the model: the ledger notes every weight that is taken below it.</summary>
    /// <param name="name">Part and number, for spans and messages.</param>
    public Block Block(ModelPart part, string name, BlockKind kind = BlockKind.Layer) => Ledger.Add(this, part, name, kind);
}
