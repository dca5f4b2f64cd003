using Fovea.Data.Images;
using Fovea.Models.Slices;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.MiniCpmV;

/// <summary>The vision tower: patches of slices to features, each slice by itself.</summary>
/// <remarks>Suffixes: P patches of all slices, C values of a patch, V tower width.</remarks>
internal sealed class MiniCpmVVision
{
    private readonly MiniCpmVVisionConfig config;
    private readonly Parameter patchWeight;
    private readonly Parameter patchBias;
    private readonly Parameter positions;
    private readonly SiglipBlock[] blocks;
    private readonly LayerNorm norm;

    public MiniCpmVVision(Weights w, MiniCpmVVisionConfig config)
    {
        this.config = config;
        var timm = config.Kind == MiniCpmVVisionKind.Resized;
        var patch = timm ? w / "patch_embed" / "proj" : w / "embeddings" / "patch_embedding";
        patchWeight = patch.Take("weight", config.HiddenSize, 3, config.PatchSize, config.PatchSize);
        patchBias = patch.Take("bias", config.HiddenSize);
        var places = (long)config.Side * config.Side;
        positions = timm
            ? w.Take("pos_embed", 1, places, config.HiddenSize)
            : (w / "embeddings" / "position_embedding").Take("weight", places, config.HiddenSize);
        blocks = new SiglipBlock[config.Layers];
        for (var i = 0; i < blocks.Length; i++)
        {
            var path = timm ? w / "blocks" / i : w / "encoder" / "layers" / i;
            blocks[i] = new SiglipBlock(path.Block(ModelPart.Vision, $"vision block {i}"), config.Blocks);
        }

        norm = new LayerNorm(w / (timm ? "norm" : "post_layernorm"), config.HiddenSize, config.NormEpsilon);
    }

    /// <param name="pixels_PC">Normalised patches of all slices, row by row, fp32.</param>
    /// <param name="grids">One a slice.</param>
    /// <param name="padded">
    /// For <see cref="MiniCpmVVisionKind.OneRow"/>: how many patches each slice is padded to, as the original pads and then attends to them; null for none.
    /// </param>
    /// <param name="watch">Sees the embedding and the output of every block and norm, with the padding; for tests.</param>
    /// <returns>[P, V] without padding.</returns>
    public Tensor Forward(Tensor pixels_PC, IReadOnlyList<ImageGrid> grids, int[]? padded = null, Action<string, Tensor>? watch = null)
    {
        var device = patchWeight.Value.Device;
        var lengths = padded ?? [.. grids.Select(grid => grid.Patches)];
        var (spread, real) = padded is null ? (null, null) : Padding(grids, padded);
        var weight = patchWeight.Use();
        var pixels = pixels_PC.To(device).To(weight.DType);
        if (spread is not null)
        {
            // Padding is made of zeros, which the original's embedding turns into its bias.
            pixels = ShapeOps.Cat([pixels, CreateOps.Zeros([1, config.PatchLength], pixels.DType, device)]).IndexSelect(0, CreateOps.On(device, spread));
        }

        var x_PV = pixels.Linear(weight.View(config.HiddenSize, config.PatchLength), patchBias.Use()).Add(Places(grids, lengths, device));
        watch?.Invoke("embed", x_PV);
        var images = Boundaries(lengths).On(device);
        for (var i = 0; i < blocks.Length; i++)
        {
            x_PV = blocks[i].Forward(x_PV, images);
            watch?.Invoke($"block{i}", x_PV);
        }

        x_PV = norm.Forward(x_PV);
        watch?.Invoke("norm", x_PV);
        return real is null ? x_PV : x_PV.IndexSelect(0, CreateOps.On(device, real));
    }

    /// <summary>Segments of these lengths, one after the other.</summary>
    internal static Segments Boundaries(IReadOnlyList<int> lengths)
    {
        var boundaries = new int[lengths.Count + 1];
        for (var i = 0; i < lengths.Count; i++)
        {
            boundaries[i + 1] = boundaries[i] + lengths[i];
        }

        return new Segments(boundaries);
    }

    /// <summary>For each row with padding the row without, or the one behind the last; and where the real ones lie.</summary>
    private static (long[] Spread, long[] Real) Padding(IReadOnlyList<ImageGrid> grids, int[] padded)
    {
        var total = grids.Sum(grid => grid.Patches);
        var (spread, real) = (new long[padded.Sum()], new long[total]);
        Array.Fill(spread, total);
        var (from, to) = (0, 0);
        for (var i = 0; i < padded.Length; i++)
        {
            for (var patch = 0; patch < grids[i].Patches; patch++)
            {
                spread[to + patch] = from;
                real[from++] = to + patch;
            }

            to += padded[i];
        }

        return (spread, real);
    }

    private Tensor Places(IReadOnlyList<ImageGrid> grids, int[] lengths, Device device)
    {
        if (config.Kind == MiniCpmVVisionKind.Resized)
        {
            return Resized(grids);
        }

        var ids = new List<long>(lengths.Sum());
        for (var i = 0; i < lengths.Length; i++)
        {
            var (rows, columns) = config.Kind == MiniCpmVVisionKind.OneRow ? (1, lengths[i]) : (grids[i].H, grids[i].W);
            var across = PositionBuckets.Of(columns, config.Side);
            foreach (var row in PositionBuckets.Of(rows, config.Side))
            {
                foreach (var column in across)
                {
                    ids.Add(((long)row * config.Side) + column);
                }
            }
        }

        return positions.Use().Embedding(CreateOps.On(device, ids.ToArray()));
    }

    /// <summary>The table resized to each slice, once for neighbours of one size (timm's <c>resample_abs_pos_embed</c>, in fp32 as there).</summary>
    private Tensor Resized(IReadOnlyList<ImageGrid> grids)
    {
        var table = positions.Use();
        var square = table.To(DType.F32).View(1, config.Side, config.Side, config.HiddenSize).Permute(0, 3, 1, 2);
        var sizes = new Dictionary<(int, int), Tensor>();
        var parts = new Tensor[grids.Count];
        for (var i = 0; i < parts.Length; i++)
        {
            var size = (grids[i].H, grids[i].W);
            if (!sizes.TryGetValue(size, out var resized))
            {
                resized = size == (config.Side, config.Side)
                    ? table.View(-1, config.HiddenSize)
                    : square.ResizeBicubic(size.H, size.W).Permute(0, 2, 3, 1).Reshape(-1, config.HiddenSize).To(table.DType);
                sizes.Add(size, resized);
            }

            parts[i] = resized;
        }

        return parts.Length == 1 ? parts[0] : ShapeOps.Cat(parts);
    }
}
