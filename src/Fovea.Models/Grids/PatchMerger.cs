using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Grids;

/// <summary>A square of patches to one token of the language model's width: norm, two linears, GELU between them.</summary>
internal sealed class PatchMerger
{
    private readonly Block block;
    private readonly int merged;
    private readonly bool joinsFirst;
    private readonly LayerNorm norm;
    private readonly Linear up;
    private readonly Linear down;

    /// <param name="joinsFirst">Whether the norm is over the patches of a token together; otherwise over each.</param>
    public PatchMerger(Block block, LearnedTowerConfig config, bool joinsFirst)
    {
        (this.block, this.joinsFirst, merged) = (block, joinsFirst, config.MergedSize);
        norm = new LayerNorm(block / "norm", joinsFirst ? merged : config.HiddenSize, TowerShape.NormEpsilon);
        up = new Linear(block / "linear_fc1", merged, merged);
        down = new Linear(block / "linear_fc2", merged, config.OutHiddenSize);
    }

    /// <param name="x_PV">Patches of the tower.</param>
    /// <returns>[M, E]</returns>
    public Tensor Forward(Tensor x_PV) => block.Run(Compute, x_PV);

    private Tensor Compute(Tensor x_PV)
    {
        var joined = joinsFirst ? norm.Forward(x_PV.View(-1, merged)) : norm.Forward(x_PV).View(-1, merged);
        return down.Forward(up.Forward(joined).Gelu());
    }
}
