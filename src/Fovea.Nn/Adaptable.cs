using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>A weight that adapters can be put on: that of a linear, or of the linears of all experts.</summary>
/// <param name="ledger">Has the weight.</param>
/// <param name="path">Where it sits in the model, as the checkpoint spells it; the names of adapters begin with it.</param>
/// <param name="inputs">Numbers that a matrix takes.</param>
/// <param name="outputs">Numbers that it makes of them.</param>
internal abstract class Adaptable(Ledger ledger, string path, long inputs, long outputs)
{
    public string Path => path;

    public long Inputs => inputs;

    public long Outputs => outputs;

    public abstract Parameter Weight { get; }

    /// <summary>Matrices in the weight; an adapter has its rank for each.</summary>
    public virtual long Matrices => 1;

    /// <summary>The adapter, when one is attached.</summary>
    public LoraAdapter? Lora { get; internal set; }

    /// <summary>Whether an adapter works on any row of what is computed now.</summary>
    internal bool IsAdapted => !AdapterRows.Same(this, out var lora) || lora is not null;

    protected Ledger Ledger => ledger;

    /// <summary>What merging an adapter adds to the weight, in fp32 and in the weight's shape.</summary>
    internal abstract Tensor Delta(LoraAdapter adapter);
}
