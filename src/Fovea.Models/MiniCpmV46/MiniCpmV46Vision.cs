using Fovea.Data.Images;
using Fovea.Models.Slices;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.MiniCpmV46;

/// <summary>The vision tower, SigLIP2 with windows merged on the way: patches of slices to features, each slice by itself.</summary>
/// <remarks>Suffixes: P patches of all slices, C values of a patch, V tower width.</remarks>
internal sealed class MiniCpmV46Vision
{
    private readonly MiniCpmV46VisionConfig config;
    private readonly Parameter patchWeight;
    private readonly Parameter patchBias;
    private readonly Parameter positions;
    private readonly SiglipBlock[] blocks;
    private readonly WindowMerger merger;
    private readonly LayerNorm norm;

    public MiniCpmV46Vision(Weights w, MiniCpmV46VisionConfig config, bool keepsWindows)
    {
        this.config = config;
        MergesWindows = config.MergesBehind >= 0 && !keepsWindows;
        var patch = w / "embeddings" / "patch_embedding";
        patchWeight = patch.Take("weight", config.HiddenSize, 3, config.PatchSize, config.PatchSize);
        patchBias = patch.Take("bias", config.HiddenSize);
        positions = (w / "embeddings" / "position_embedding").Take("weight", (long)config.Side * config.Side, config.HiddenSize);
        WindowMerger? between = null;
        blocks = new SiglipBlock[config.Layers];
        for (var i = 0; i < blocks.Length; i++)
        {
            blocks[i] = new SiglipBlock((w / "encoder" / "layers" / i).Block(ModelPart.Vision, $"vision block {i}"), config.Blocks);
            between = i == config.MergesBehind ? Merger() : between;
        }

        merger = between ?? Merger();
        norm = new LayerNorm(w / "post_layernorm", config.HiddenSize, config.NormEpsilon);

        WindowMerger Merger() => new((w / "vit_merger").Block(ModelPart.Vision, "window merger", BlockKind.Single), config);
    }

    /// <summary>Whether four patches become one inside the tower.</summary>
    public bool MergesWindows { get; }

    /// <param name="pixels_PC">Normalised patches of all slices, row by row, fp32.</param>
    /// <param name="grids">One a slice.</param>
    /// <param name="watch">Sees the patch embedding, with positions too, the output of every block, and what lies between; for tests.</param>
    /// <returns>[P, V], or a quarter of the rows where windows are merged.</returns>
    public Tensor Forward(Tensor pixels_PC, IReadOnlyList<ImageGrid> grids, Action<string, Tensor>? watch = null)
    {
        var device = patchWeight.Value.Device;
        var weight = patchWeight.Use();
        var x_PV = pixels_PC.To(device).To(weight.DType).Linear(weight.View(config.HiddenSize, config.PatchLength), patchBias.Use());
        watch?.Invoke("patch_embed", x_PV);
        x_PV = x_PV.Add(Places(grids, device));
        watch?.Invoke("embedded", x_PV);
        var images = Boundaries(grids).On(device);
        for (var i = 0; i < blocks.Length; i++)
        {
            x_PV = blocks[i].Forward(x_PV, images);
            watch?.Invoke($"block{i}", x_PV);
            if (MergesWindows && i == config.MergesBehind)
            {
                x_PV = merger.Forward(x_PV, grids, watch);
                watch?.Invoke("window_merger", x_PV);
                grids = PatchSquares.Halved(grids);
                images = Boundaries(grids).On(device);
            }
        }

        x_PV = norm.Forward(x_PV);
        watch?.Invoke("post_layernorm", x_PV);
        return x_PV;
    }

    private static Segments Boundaries(IReadOnlyList<ImageGrid> grids)
    {
        var boundaries = new int[grids.Count + 1];
        for (var i = 0; i < grids.Count; i++)
        {
            boundaries[i + 1] = boundaries[i] + grids[i].Patches;
        }

        return new Segments(boundaries);
    }

    private Tensor Places(IReadOnlyList<ImageGrid> grids, Device device)
    {
        var ids = new List<long>(grids.Sum(grid => grid.Patches));
        foreach (var grid in grids)
        {
            var across = PositionBuckets.Of(grid.W, config.Side);
            foreach (var row in PositionBuckets.Of(grid.H, config.Side))
            {
                foreach (var column in across)
                {
                    ids.Add(((long)row * config.Side) + column);
                }
            }
        }

        return positions.Use().Embedding(CreateOps.On(device, ids.ToArray()));
    }
}
