using Fovea.Nn.FourBit;
using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>How a <see cref="Ledger"/> holds weights.</summary>
internal sealed record LedgerOptions
{
    /// <summary>Element type of the computation: fp32, bf16 or fp16.</summary>
    public DType Compute { get; init; } = DType.F32;

    /// <summary>Element type of trainable weights: fp32 masters, or the compute type itself (<c>pure_bf16</c>).</summary>
    public DType Master { get; init; } = DType.F32;

    public Device Device { get; init; } = Device.Cpu;

    /// <summary>Leaves values as the source gives them: somebody else places them afterwards, for instance shards them over ranks.</summary>
    public bool Deferred { get; init; }

    /// <summary>What blocks keep for backward until somebody decides otherwise.</summary>
    public BlockMode BlockMode { get; init; }

    /// <summary>How frozen linears are kept in 4 bits; null where they are not.</summary>
    public FourBitOptions? FourBit { get; init; }

    /// <summary>Which of them, by the names of their weights.</summary>
    public Func<string, bool> Packs { get; init; } = _ => true;

    /// <summary>Whether the weight of this name is trainable.</summary>
    public Func<string, bool> Trainable { get; init; } = _ => false;
}
