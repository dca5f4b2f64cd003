using Fovea.Nn;
using Fovea.Nn.FourBit;
using Fovea.Tensors;

namespace Fovea.Models;

/// <summary>How to build a model from its folder.</summary>
internal sealed record ModelOptions
{
    /// <summary>Element type of the computation.</summary>
    public DType Compute { get; init; } = DType.F32;

    /// <summary>Element type of what learns.</summary>
    public DType Master { get; init; } = DType.F32;

    public Device Device { get; init; } = Device.Cpu;

    /// <summary>Which weights learn, by part of the model and by name.</summary>
    public Func<ModelPart, string, bool> Trainable { get; init; } = (_, _) => false;

    /// <summary>Leaves weights as the files have them, mapped, for somebody who places them (<see cref="LedgerOptions.Deferred"/>).</summary>
    public bool Deferred { get; init; }

    /// <summary>Rounds frozen linears to 4 bits, by default those of the language model; embeddings and head stay as they are. Null: none.</summary>
    public FourBitOptions? FourBit { get; init; }

    /// <summary>Which linears are rounded, by the names of their weights, where that is known; null is as <see cref="FourBit"/> says.</summary>
    public Func<string, bool>? Rounds { get; init; }

    /// <summary>A file of weights to replace the folder's own, for a family with files of its own (<see cref="ModelFamily.Files"/>); null is none.</summary>
    public string? WeightsFile { get; init; }

    /// <summary>What the family alone is told; null is its defaults.</summary>
    public FamilyOptions? Family { get; init; }

    /// <summary>What blocks keep for backward until somebody decides otherwise (<see cref="Block.Mode"/>).</summary>
    public BlockMode BlockMode { get; init; }

    internal LedgerOptions ForLedger(Func<string, ModelPart> partOf, NameMap names) => new()
    {
        Compute = Compute,
        Master = Master,
        Device = Device,
        Deferred = Deferred,
        BlockMode = BlockMode,
        FourBit = FourBit,
        Packs = Rounds ?? RuleOf(FourBit, partOf, names),
        Trainable = name => Trainable(partOf(name), name),
    };

    /// <summary>Which linears are rounded, by the names of their weights in the ledger.</summary>
    internal static Func<string, bool> RuleOf(FourBitOptions? fourBit, Func<string, ModelPart> partOf, NameMap names)
    {
        if (fourBit?.Skipped is not { } entries)
        {
            return name => partOf(name) == ModelPart.Language;
        }

        var skipped = new SkippedModules(entries, names);
        return name => !skipped.Contains(ModuleOf(name));
    }

    /// <summary>A layer's name by that of its weight.</summary>
    internal static string ModuleOf(string weight) => weight[..Math.Max(0, weight.LastIndexOf('.'))];
}
