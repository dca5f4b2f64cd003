using Fovea.Data.Images;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Qwen25Vl;

/// <summary>The vision tower: patches to merged tokens of the language model's width. Source: Qwen2.5-VL technical report, arXiv 2502.13923.</summary>
/// <remarks>Suffixes: P patches, C values of a patch, V tower width, H heads, D head size, M merged tokens, E language width.</remarks>
internal sealed class Qwen25VlVision
{
    private readonly Qwen25VlVisionConfig config;
    private readonly Parameter patchEmbed;
    private readonly VisionBlock[] blocks;
    private readonly Block merger;
    private readonly RmsNorm mergerNorm;
    private readonly Linear mergerIn;
    private readonly Linear mergerOut;

    public Qwen25VlVision(Weights w, Qwen25VlVisionConfig config)
    {
        this.config = config;
        patchEmbed = (w / "patch_embed" / "proj").Take(
            "weight", config.HiddenSize, config.InChannels, config.TemporalPatchSize, config.PatchSize, config.PatchSize);
        blocks = new VisionBlock[config.Depth];
        for (var i = 0; i < blocks.Length; i++)
        {
            blocks[i] = new VisionBlock((w / "blocks" / i).Block(ModelPart.Vision, $"vision block {i}"), config);
        }

        var merged = (long)config.HiddenSize * config.MergeSize * config.MergeSize;
        merger = (w / "merger").Block(ModelPart.Projector, "projector", BlockKind.Single);
        mergerNorm = new RmsNorm(merger / "ln_q", config.HiddenSize, 1e-6);
        mergerIn = new Linear(merger / "mlp" / 0, merged, merged);
        mergerOut = new Linear(merger / "mlp" / 2, merged, config.OutHiddenSize);
    }

    /// <param name="pixels_PC">Normalised patches of all images in the processor's order, fp32.</param>
    /// <param name="grids">One an image.</param>
    /// <param name="watch">Sees the patch embedding and the output of every block (in window order); for tests.</param>
    /// <returns>[M, E] in raster order, image after image.</returns>
    public Tensor Forward(Tensor pixels_PC, IReadOnlyList<ImageGrid> grids, Action<string, Tensor>? watch = null)
    {
        var layout = VisionLayout.For(grids, config);
        var device = patchEmbed.Value.Device;
        var unit = config.MergeSize * config.MergeSize;
        layout.Windows.On(device);
        layout.Images.On(device);
        var embed = patchEmbed.Use();
        var x_PV = pixels_PC.To(device).To(embed.DType).Linear(embed.View(config.HiddenSize, config.Patches.Length));
        watch?.Invoke("patch_embed", x_PV);

        var windowOrder = CreateOps.On(device, layout.WindowIndex);
        x_PV = x_PV.View(-1, unit, config.HiddenSize).IndexSelect(0, windowOrder).View(-1, config.HiddenSize);
        var rotary = layout.Places.Rotary(config.HiddenSize / config.Heads, device);
        for (var i = 0; i < blocks.Length; i++)
        {
            var segments = Array.IndexOf(config.FullAttentionBlocks, i) >= 0 ? layout.Images : layout.Windows;
            x_PV = blocks[i].Forward(x_PV, rotary, segments);
            watch?.Invoke($"block{i}", x_PV);
        }

        var merged_ME = merger.Run(x => mergerOut.Forward(mergerIn.Forward(mergerNorm.Forward(x).View(-1, unit * config.HiddenSize)).Gelu()), x_PV);
        return merged_ME.IndexSelect(0, CreateOps.On(device, layout.RasterIndex));
    }
}
