using Fovea.Data.Images;
using Fovea.Models.Grids;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Qwen2Vl;

/// <summary>The vision tower: patches to merged tokens of the language model's width. Source: Qwen2-VL technical report, arXiv 2409.12191.</summary>
/// <remarks>Suffixes: P patches, C values of a patch, V tower width, M merged tokens, E language width.</remarks>
internal sealed class Qwen2VlVision
{
    private readonly Qwen2VlVisionConfig config;
    private readonly Parameter patchEmbed;
    private readonly TowerBlock[] blocks;
    private readonly Block merger;
    private readonly LayerNorm mergerNorm;
    private readonly Linear mergerIn;
    private readonly Linear mergerOut;
    private readonly int merged;

    public Qwen2VlVision(Weights w, Qwen2VlVisionConfig config)
    {
        this.config = config;
        var patches = config.Patches;
        patchEmbed = (w / "patch_embed" / "proj").Take("weight", config.Width, patches.Channels, patches.Frames, patches.Size, patches.Size);
        blocks = new TowerBlock[config.Depth];
        for (var i = 0; i < blocks.Length; i++)
        {
            blocks[i] = new TowerBlock((w / "blocks" / i).Block(ModelPart.Vision, $"vision block {i}"), config.Blocks, QuickGelu);
        }

        merged = config.Width * patches.Merge * patches.Merge;
        merger = (w / "merger").Block(ModelPart.Projector, "projector", BlockKind.Single);
        mergerNorm = new LayerNorm(merger / "ln_q", config.Width, TowerShape.NormEpsilon);
        mergerIn = new Linear(merger / "mlp" / 0, merged, merged);
        mergerOut = new Linear(merger / "mlp" / 2, merged, config.OutHiddenSize);
    }

    /// <summary>Everything but the merger.</summary>
    /// <param name="pixels_PC">Normalised patches of all images in the processor's order, fp32.</param>
    /// <param name="grids">One an image.</param>
    /// <param name="watch">Sees the patch embedding and the output of every block; for tests.</param>
    /// <returns>[P, V]</returns>
    public Tensor Encode(Tensor pixels_PC, IReadOnlyList<ImageGrid> grids, Action<string, Tensor>? watch = null)
    {
        var device = patchEmbed.Value.Device;
        var embed = patchEmbed.Use();
        var x_PV = pixels_PC.To(device).To(embed.DType).Linear(embed.View(config.Width, config.Patches.Length));
        watch?.Invoke("patch_embed", x_PV);
        var rotary = PatchPlaces.Of(grids, config.Patches.Merge).Rotary(config.Width / config.Heads, device);
        var frames = PatchPlaces.Frames(grids).On(device);
        for (var i = 0; i < blocks.Length; i++)
        {
            x_PV = blocks[i].Forward(x_PV, rotary, frames);
            watch?.Invoke($"block{i}", x_PV);
        }

        return x_PV;
    }

    /// <summary>The tower's output [P, V] as embeddings of the language model [M, E].</summary>
    public Tensor Merge(Tensor x_PV) => merger.Run(x => mergerOut.Forward(mergerIn.Forward(mergerNorm.Forward(x).View(-1, merged)).Gelu()), x_PV);

    private static Tensor QuickGelu(Tensor x) => x.Mul(x.Mul(1.702).Sigmoid());
}
