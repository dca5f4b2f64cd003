using Fovea.Data.Images;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.MiniCpmV;

/// <summary>
/// Turns the features of a slice, however many, into a fixed number of tokens: learned queries attend to them (the perceiver resampler of
/// arXiv 2308.12966, with 2-D sine-cosine places on the keys).
/// </summary>
/// <remarks>Suffixes: P patches, V tower width, E language width, Q queries, N slices, H heads, D head size.</remarks>
internal sealed class Resampler
{
    private const int HeadSize = 128;
    private const double NormEpsilon = 1e-6;
    private readonly Block block;
    private readonly int width;
    private readonly int count;
    private readonly Parameter query;
    private readonly Parameter? queryPlaces;
    private readonly Linear keyValue;
    private readonly Parameter inWeight;
    private readonly Parameter inBias;
    private readonly Linear attentionOut;
    private readonly LayerNorm queryNorm;
    private readonly LayerNorm keyValueNorm;
    private readonly LayerNorm outNorm;
    private readonly Parameter projection;

    public Resampler(Weights root, MiniCpmVConfig config)
    {
        block = root.Block(ModelPart.Projector, "projector", BlockKind.Single);
        var w = block.Weights;
        (width, count) = (config.Language.Width, config.Queries);
        query = w.Take("query", count, width);
        queryPlaces = config.PlacedQueries ? w.Take(FixedPlaces, count, width) : null;
        keyValue = new Linear(w / "kv_proj", config.Vision.HiddenSize, width, bias: false);
        inWeight = (w / "attn").Take("in_proj_weight", 3L * width, width);
        inBias = (w / "attn").Take("in_proj_bias", 3L * width);
        attentionOut = new Linear(w / "attn" / "out_proj", width, width);
        queryNorm = new LayerNorm(w / "ln_q", width, NormEpsilon);
        keyValueNorm = new LayerNorm(w / "ln_kv", width, NormEpsilon);
        outNorm = new LayerNorm(w / "ln_post", width, NormEpsilon);
        projection = w.Take("proj", width, width);
    }

    /// <summary>The last part of the name of a table that is saved with V-2 and never learns.</summary>
    internal const string FixedPlaces = "pos_embed";

    /// <param name="x_PV">Features of all slices.</param>
    /// <param name="grids">One a slice.</param>
    /// <param name="watch">Sees keys and values, and what attention gives; for tests.</param>
    /// <returns>[N * Q, E]</returns>
    public Tensor Forward(Tensor x_PV, IReadOnlyList<ImageGrid> grids, Action<string, Tensor>? watch = null) =>
        block.Run(x => Resample(x, grids, watch), x_PV);

    private Tensor Resample(Tensor x_PV, IReadOnlyList<ImageGrid> grids, Action<string, Tensor>? watch)
    {
        var kv_PE = keyValueNorm.Forward(keyValue.Forward(x_PV));
        watch?.Invoke("kv", kv_PE);
        var (weight, bias) = (inWeight.Use(), inBias.Use());
        Tensor Project(Tensor x, int part) =>
            x.Linear(weight.Slice(0, part * width, (part + 1L) * width), bias.Slice(0, part * width, (part + 1L) * width)).View(-1, width / HeadSize, HeadSize);

        var q_QE = queryNorm.Forward(query.Use());
        var q_QHD = Project(queryPlaces is null ? q_QE : q_QE.Add(queryPlaces.Use()), 0);
        var k_PHD = Project(kv_PE.Add(Places(grids, kv_PE.DType, kv_PE.Device)), 1);
        var v_PHD = Project(kv_PE, 2);

        // Neighbours of as many patches, as the cells of an image are, go together.
        var runs = MiniCpmVVision.Boundaries([.. grids.Select(grid => grid.Patches)]).Runs;
        var parts = new Tensor[runs.Count];
        for (var i = 0; i < parts.Length; i++)
        {
            var (start, length, slices) = runs[i];
            Tensor Batch(Tensor x) =>
                x.Slice(0, start, start + ((long)length * slices)).View(slices, length, width / HeadSize, HeadSize).Transpose(1, 2);

            var q_NHQD = q_QHD.Transpose(0, 1).Unsqueeze(0).Expand(slices, width / HeadSize, count, HeadSize);
            parts[i] = NetOps.ScaledDotProductAttention(q_NHQD, Batch(k_PHD), Batch(v_PHD), causal: false, Math.Pow(HeadSize, -0.5))
                .Transpose(1, 2).Reshape(-1, width);
        }

        var out_NQE = attentionOut.Forward(parts.Length == 1 ? parts[0] : ShapeOps.Cat(parts));
        watch?.Invoke("attn", out_NQE);
        return outNorm.Forward(out_NQE).MatMul(projection.Use());
    }

    /// <summary>[P, E]: the first half follows the column, the second the row.</summary>
    private Tensor Places(IReadOnlyList<ImageGrid> grids, DType dtype, Device device)
    {
        var total = grids.Sum(grid => grid.Patches);
        var (rows, columns) = (new long[total], new long[total]);
        var (at, most) = (0, 1);
        foreach (var grid in grids)
        {
            most = Math.Max(most, Math.Max(grid.H, grid.W));
            for (var row = 0; row < grid.H; row++)
            {
                for (var column = 0; column < grid.W; column++)
                {
                    (rows[at], columns[at++]) = (row, column);
                }
            }
        }

        var table = SineCosine(most, device).To(dtype);
        return ShapeOps.Cat([table.IndexSelect(0, CreateOps.On(device, columns)), table.IndexSelect(0, CreateOps.On(device, rows))], 1);
    }

    /// <summary>sin and cos of place / 10000^(4j / E) for j below E/4, [places, E / 2] in fp32.</summary>
    private Tensor SineCosine(int places, Device device)
    {
        var quarter = width / 4;
        var values = new float[places * 2 * quarter];
        for (var j = 0; j < quarter; j++)
        {
            var omega = 1f / MathF.Pow(10000f, j / (float)quarter);
            for (var place = 0; place < places; place++)
            {
                var line = values.AsSpan(place * 2 * quarter);
                (line[quarter + j], line[j]) = (MathF.Cos(place * omega), MathF.Sin(place * omega));
            }
        }

        return CreateOps.On(device, values, places, 2L * quarter);
    }
}
