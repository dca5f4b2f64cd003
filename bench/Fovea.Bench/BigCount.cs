using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Bench;

/// <summary>What one step of the 7b job takes by count: operations and bytes.</summary>
/// <param name="DecoderWeights">Elements that multiply every token.</param>
/// <param name="HeadWeights">Elements that multiply every trained token.</param>
/// <param name="VisionWeights">Elements that multiply every patch.</param>
/// <param name="MergerWeights">Elements that multiply every merged token.</param>
/// <param name="Flop">4 per decoder weight and token, 4 per head weight and trained token (forward, and backward to the input alone: the base is
/// frozen), 2 per vision weight (forward alone). Recomputation, attention scores and adapters are not counted.</param>
/// <param name="WeightBytes">All base weights in the element type of the computation.</param>
/// <param name="AdapterBytes">Adapters: fp32 master, gradient and two moments, and the copy that is used.</param>
/// <param name="BlockBytes">What one block of the decoder keeps for backward, bounded from above.</param>
/// <param name="LogitBytes">One chunk of logits.</param>
internal sealed record BigCount(
    long DecoderWeights, long HeadWeights, long VisionWeights, long MergerWeights, double Flop,
    long WeightBytes, long AdapterBytes, long BlockBytes, long LogitBytes)
{
    public const string Definition =
        "4 N_decoder T + 4 N_head L + 2 (N_vision P + N_merger M): frozen base, recomputation, attention scores and adapters not counted";

    public static BigCount Of(VisionLanguageModel model, PackedBatch batch)
    {
        long Sum(Func<string, bool> of) => model.Ledger.Linears.Where(l => of(l.Path)).Sum(l => l.Weight.Count);
        var decoder = Sum(path => path.StartsWith("model.layers.", StringComparison.Ordinal));
        var merger = Sum(path => path.StartsWith("visual.merger.", StringComparison.Ordinal));
        var vision = Sum(path => path.StartsWith("visual.blocks.", StringComparison.Ordinal)) + model.Ledger["visual.patch_embed.proj.weight"].Count;
        var head = model.Head.Count;
        var (tokens, trained) = ((double)batch.Tokens, (double)batch.LossIndex.Length);
        var flop = (4 * decoder * tokens) + (4 * head * trained) + (2.0 * vision * batch.Patches) + (2.0 * merger * batch.ImageSlots.Length);
        var size = model.Ledger.Options.Compute.Size();
        var width = model.Head.Shape[1];
        var (inner, keyed) = (model.Ledger["model.layers.0.mlp.gate_proj.weight"].Shape[0], model.Ledger["model.layers.0.self_attn.k_proj.weight"].Shape[0]);

        // Kept for each token: both norms' inputs and outputs, queries and keys before and after rotation, values, attention's output, gate, up and product.
        var kept = batch.Tokens * ((4 * width) + (2 * (width + keyed)) + keyed + width + (3 * inner)) * size;
        return new BigCount(
            decoder, head, vision, merger, flop, model.Ledger.Count * size, model.Ledger.AdapterParameters.Sum(p => p.Count) * (16 + size), kept,
            LinearCrossEntropy.WorkingBytes(model.Head, batch.LossIndex.Length, model.Ledger.Options.Compute, onHost: false));
    }
}
