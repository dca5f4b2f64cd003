using Fovea.Models;
using Fovea.Nn;
using Fovea.Tensors;
using Fovea.Training.Config;

namespace Fovea.Training.Engine;

/// <summary>What a step may hold in memory: tokens of a micro-batch, and the blocks whose activations are kept for the backward pass.</summary>
/// <param name="MicroBatchTokens">Most tokens of a packed micro-batch.</param>
/// <param name="KeptBlocks">Names of the blocks that are not recomputed; empty where recomputation is off or always on.</param>
/// <param name="BytesPerTokenAndBlock">Activations that one block keeps for each token.</param>
public sealed record MemoryPlan(int MicroBatchTokens, IReadOnlySet<string> KeptBlocks, long BytesPerTokenAndBlock)
{
    private const int LeastTokens = 1024;

    // Beyond this, larger products are no faster.
    private const int MostTokens = 4096;

    /// <param name="budgetBytes">Memory for activations.</param>
    public static MemoryPlan For(VisionLanguageModel model, Family family, TrainConfig config, long budgetBytes)
    {
        var size = model.Ledger.Options.Compute.Size();

        // Every linear keeps its input and makes an output that something keeps: a bound from above, since inputs are shared.
        var elements = model.Ledger.Linears.Where(l => family.PartOf(l.Path) == ModelPart.Language).Sum(l => l.Inputs + l.Outputs);
        var block = elements * size / model.Layers;
        var input = model.Head.Shape[1] * size;
        var least = config.UsesRecompute ? block + (input * model.Layers) : block * model.Layers;
        var tokens = config.MicroBatchTokens ?? (int)Math.Clamp(budgetBytes / Math.Max(1, least), LeastTokens, MostTokens);
        var kept = new HashSet<string>();
        if (config.EffectiveRecompute == RecomputeMode.Auto)
        {
            var room = (budgetBytes - (least * tokens)) / Math.Max(1, block * tokens);

            // The last blocks: backward frees them first.
            for (var layer = model.Layers - 1; layer >= 0 && kept.Count < room; layer--)
            {
                kept.Add(BlockPolicy.LanguageBlock(layer));
            }
        }

        return new MemoryPlan(tokens, kept, block);
    }
}
