using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Training.Planning;

/// <summary>
/// What the forward pass of a micro-batch holds until its backward pass. Measured, not derived: the model itself runs on the meta device at two lengths, and
/// autograd's hook sees what is saved. Everything kept grows with the rows by the same step, so two lengths give all others.
/// </summary>
/// <param name="Blocks">Of the blocks whose mode decides how much they keep: layers that have a backward pass, in the order of the forward pass.</param>
/// <param name="Tokens">Of everything else, by tokens.</param>
/// <param name="Patches">The same of images that the vision side learns from, by patches.</param>
internal sealed record ActivationCosts(IReadOnlyList<BlockCost> Blocks, RowBytes Tokens, RowBytes Patches)
{
    // Attention's kernels on GPUs round some of their results up to so many rows.
    private const int Rows = 128;

    /// <param name="model">As it will train, with its adapters; its weights are not touched.</param>
    /// <param name="stage">Of ZeRO: from the first on weights are gathered in the type in which they are used, in the third adapters are divided too.</param>
    /// <param name="onHost">Whether it will run on the CPU.</param>
    /// <param name="ranks">That split the tokens of a micro-batch; rows of tokens are then those of one rank.</param>
    public static ActivationCosts Measure(VisionLanguageModel model, int stage, bool onHost, int ranks = 1)
    {
        using var scope = TensorScope.Open("block");
        using var meter = new BlockMeter(model.Ledger, castsWeights: stage == 0, castsAdapters: stage < 3, onHost);
        var (blocks, tokens) = Measure(meter, Rows, rows => Text(model, rows, ranks));
        var image = model.UsualImage.Patches;
        var (learns, towerLearns) = Vision(meter, model);
        var (visionBlocks, patches) = learns ? Measure(meter, image, rows => Images(model, rows / image, towerLearns)) : ([], default);
        return new ActivationCosts([.. visionBlocks, .. blocks], tokens, patches);
    }

    private static (List<BlockCost> Blocks, RowBytes Around) Measure(BlockMeter meter, int rows, Action<int> pass)
    {
        var byMode = new Dictionary<BlockMode, (PassMemory Short, PassMemory Long)>();
        foreach (var mode in (ReadOnlySpan<BlockMode>)[BlockMode.Keep, BlockMode.Selective, BlockMode.Recompute])
        {
            byMode[mode] = (meter.Measure(mode, () => pass(rows)), meter.Measure(mode, () => pass(2 * rows)));
        }

        var (least, most) = byMode[BlockMode.Keep];
        var around = RowBytes.Through(rows, least.Around, 2 * rows, most.Around);
        var costs = new List<BlockCost>();
        foreach (var block in least.Blocks.Keys)
        {
            if (block.Kind == BlockKind.Layer && least.Recorded.Contains(block))
            {
                var input = RowBytes.Through(rows, least.Inputs[block], 2 * rows, most.Inputs[block]);
                var working = RowBytes.Through(rows, least.Working.GetValueOrDefault(block), 2 * rows, most.Working.GetValueOrDefault(block));
                costs.Add(new BlockCost(block, Of(block, BlockMode.Keep), Of(block, BlockMode.Selective), Of(block, BlockMode.Recompute), input, working));
            }
            else
            {
                around += Of(block, BlockMode.Keep);
            }
        }

        return (costs, around);

        RowBytes Of(Block block, BlockMode mode) =>
            RowBytes.Through(rows, byMode[mode].Short.Blocks[block], 2 * rows, byMode[mode].Long.Blocks[block]);
    }

    /// <summary>Whether gradients reach the vision side, and there the tower.</summary>
    private static (bool Learns, bool TowerLearns) Vision(BlockMeter meter, VisionLanguageModel model)
    {
        var (learns, towerLearns) = (false, false);
        meter.Measure(BlockMode.Recompute, () =>
        {
            var input = Images(model, 1);
            var tower = model.HasTower ? model.TowerFeatures(input)! : model.VisionFeatures(input)!;
            towerLearns = tower.RequiresGrad;
            learns = towerLearns || (model.HasTower && model.Project(tower, input).RequiresGrad);
        });
        return (learns, towerLearns);
    }

    /// <summary>Text with a token that is an image's.</summary>
    private static void Text(VisionLanguageModel model, int tokens, int ranks)
    {
        var input = Input(model, tokens * ranks, ranks == 1 ? null : new ShapeExchange(ranks)) with
        {
            ImageSlots = CreateOps.On(model.Device, [0L]), Side = new SideLosses(),
        };
        model.Hidden(input, new VisualFeatures(Feature(), [.. Enumerable.Range(0, model.FeatureLayers).Select(_ => Feature())]));

        Tensor Feature() => CreateOps.Empty([1, model.Head.Shape[1]], model.Ledger.Options.Compute, model.Device);
    }

    /// <summary>As a step runs them: a frozen tower without a graph, so that nothing of it is kept but its features.</summary>
    private static void Images(VisionLanguageModel model, int count, bool towerLearns)
    {
        var input = Images(model, count);
        if (towerLearns)
        {
            model.VisionFeatures(input);
            return;
        }

        VisualFeatures tower;
        using (Autograd.NoGrad())
        {
            using var scope = TensorScope.Open("image");
            tower = model.TowerFeatures(input)!.Map(scope.Release);
        }

        model.Project(tower, input);
    }

    private static ModelInput Images(VisionLanguageModel model, int count)
    {
        var grid = model.UsualImage;
        return Input(model, 1) with
        {
            Pixels = CreateOps.Empty([(long)count * grid.Patches, model.PatchLength], DType.F32, model.Device),
            Grids = [.. Enumerable.Repeat(grid, count)],
            ImagesOfSamples = [count],
        };
    }

    private static ModelInput Input(VisionLanguageModel model, int tokens, ISequenceExchange? exchange = null)
    {
        using var batch = new PackedBatch
        {
            Ids = new long[tokens],
            CuSeqlens = [0, tokens],
            SampleIndices = [0],
            SampleGroup = [0],
            SampleWeight = [1],
            Grids = [],
            ImagePaths = [],
            ImageStarts = [0, 0],
            ImageTokens = [],
            ImageSlots = [],
            LossIndex = [],
            Targets = [],
        };
        return model.Prepare(batch, exchange);
    }
}
