using Fovea.Data.Images;
using Fovea.Models.Slices;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.MiniCpmV46;

/// <summary>Inside the tower: each window of two by two patches attends to itself and becomes one.</summary>
/// <remarks>Suffixes: P patches, V tower width, W windows.</remarks>
internal sealed class WindowMerger
{
    /// <summary>How the names of its weights begin.</summary>
    public const string Path = "model.vision_tower.vit_merger.";

    private readonly Block block;
    private readonly int width;
    private readonly LayerNorm attentionNorm;
    private readonly SiglipAttention attention;
    private readonly LayerNorm joinedNorm;
    private readonly Linear up;
    private readonly Linear down;

    public WindowMerger(Block block, MiniCpmV46VisionConfig config)
    {
        (this.block, width) = (block, config.HiddenSize);
        var joined = (long)PatchSquares.Size * width;
        var inner = (long)PatchSquares.Size * config.IntermediateSize;
        attentionNorm = new LayerNorm(block / "layer_norm1", width, config.NormEpsilon);
        attention = new SiglipAttention(block / "self_attn", config.Blocks);
        joinedNorm = new LayerNorm(block / "pre_norm", joined, config.NormEpsilon);
        up = new Linear(block / "linear_1", joined, inner);
        down = new Linear(block / "linear_2", inner, width);
    }

    /// <param name="x_PV">Patches row by row.</param>
    /// <param name="grids">One an image.</param>
    /// <param name="watch">Sees what attention gives, windows one after the other; for tests.</param>
    /// <returns>[P / 4, V], row by row.</returns>
    public Tensor Forward(Tensor x_PV, IReadOnlyList<ImageGrid> grids, Action<string, Tensor>? watch = null) =>
        block.Run(x => Merge(x, grids, watch), x_PV);

    private Tensor Merge(Tensor x_PV, IReadOnlyList<ImageGrid> grids, Action<string, Tensor>? watch)
    {
        x_PV = PatchSquares.Gather(x_PV, grids);
        var windows = PatchSquares.Alone(grids.Sum(grid => grid.Patches)).On(x_PV.Device);
        var seen_PV = attention.Forward(attentionNorm.Forward(x_PV), windows);
        watch?.Invoke("window_attention", seen_PV);
        x_PV = x_PV.Add(seen_PV);
        var mean_WV = x_PV.View(-1, PatchSquares.Size, width).Mean(1);
        var joined = joinedNorm.Forward(x_PV.View(-1, (long)PatchSquares.Size * width));
        return down.Forward(up.Forward(joined).Gelu(tanh: true)).Add(mean_WV);
    }
}
