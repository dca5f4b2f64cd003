using Fovea.Data.Images;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Grids;

/// <summary>
/// A vision tower with learned positions: patches to merged tokens of the language model's width, and, where the family has them, features of some blocks for
/// the decoder's first layers (DeepStack, arXiv 2406.04334). Source: Qwen3-VL technical report, arXiv 2511.21631.
/// </summary>
/// <remarks>Suffixes: P patches, C values of a patch, V tower width, M merged tokens, E language width.</remarks>
internal class LearnedTower
{
    private readonly LearnedTowerConfig config;
    private readonly Parameter patchWeight;
    private readonly Parameter patchBias;
    private readonly LearnedPositions positions;
    private readonly TowerBlock[] blocks;
    private readonly PatchMerger[] layerMergers;
    private readonly PatchMerger merger;

    protected LearnedTower(Weights w, LearnedTowerConfig config)
    {
        this.config = config;
        var embed = w / "patch_embed" / "proj";
        patchWeight = embed.Take("weight", config.HiddenSize, config.InChannels, config.TemporalPatchSize, config.PatchSize, config.PatchSize);
        patchBias = embed.Take("bias", config.HiddenSize);
        positions = new LearnedPositions(w / "pos_embed", config);
        (blocks, layerMergers) = (new TowerBlock[config.Depth], new PatchMerger[config.FeatureBlocks.Length]);
        for (var i = 0; i < blocks.Length; i++)
        {
            blocks[i] = new TowerBlock((w / "blocks" / i).Block(ModelPart.Vision, $"vision block {i}"), config.Blocks, x => x.Gelu(tanh: true));
            if (LayerOf(i) is { } layer)
            {
                // LLaMA-Factory freezes and frees these with the tower.
                var block = (w / "deepstack_merger_list" / layer).Block(ModelPart.Vision, $"layer projector {layer}", BlockKind.Single);
                layerMergers[layer] = new PatchMerger(block, config, joinsFirst: true);
            }
        }

        merger = new PatchMerger((w / "merger").Block(ModelPart.Projector, "projector", BlockKind.Single), config, joinsFirst: false);
    }

    /// <summary>Everything but the last merger.</summary>
    /// <param name="pixels_PC">Normalised patches of all images in the processor's order, fp32.</param>
    /// <param name="grids">One an image.</param>
    /// <param name="watch">Sees the patch embedding, with positions too, the output of every block, and features of layers; for tests.</param>
    /// <returns>Embeddings [P, V]; features of each layer [M, E].</returns>
    public VisualFeatures Encode(Tensor pixels_PC, IReadOnlyList<ImageGrid> grids, Action<string, Tensor>? watch = null)
    {
        var device = patchWeight.Value.Device;
        var places = PatchPlaces.Of(grids, config.MergeSize);
        var weight = patchWeight.Use();
        var x_PV = pixels_PC.To(device).To(weight.DType).Linear(weight.View(config.HiddenSize, config.Patches.Length), patchBias.Use());
        watch?.Invoke("patch_embed", x_PV);
        x_PV = x_PV.Add(positions.Forward(places, grids));
        watch?.Invoke("embedded", x_PV);
        var rotary = places.Rotary(config.HiddenSize / config.Heads, device);
        var frames = PatchPlaces.Frames(grids).On(device);
        var perLayer = new Tensor[layerMergers.Length];
        for (var i = 0; i < blocks.Length; i++)
        {
            x_PV = blocks[i].Forward(x_PV, rotary, frames);
            watch?.Invoke($"block{i}", x_PV);
            if (LayerOf(i) is { } layer)
            {
                perLayer[layer] = layerMergers[layer].Forward(x_PV);
                watch?.Invoke($"deepstack{layer}", perLayer[layer]);
            }
        }

        return new VisualFeatures(x_PV, perLayer);
    }

    /// <summary>The last merger: the tower's output [P, V] as embeddings of the language model [M, E].</summary>
    public Tensor Merge(Tensor x_PV) => merger.Forward(x_PV);

    /// <summary>The layer of the decoder that features of a block are for; null where none are made.</summary>
    private int? LayerOf(int block) => Array.IndexOf(config.FeatureBlocks, block) is >= 0 and var layer ? layer : null;
}
