using Fovea.Models;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Training.Engine;

/// <summary>How many tokens a packed micro-batch may hold when the configuration leaves it open.</summary>
public static class MicroBatchSize
{
    private const int Least = 1024;

    // Beyond this, larger products are no faster.
    private const int Most = 8192;

    /// <param name="budgetBytes">Memory for activations.</param>
    public static int Choose(VisionLanguageModel model, Family family, bool recompute, long budgetBytes)
    {
        var language = model.Ledger.Linears.Where(l => family.PartOf(l.Path) == ModelPart.Language).ToList();
        var layers = Math.Max(1, language.Count(l => l.Path.EndsWith("o_proj", StringComparison.Ordinal)));
        var size = model.Ledger.Options.Compute.Size();

        // Each linear's input and output, and about as much again for norms, rotary and attention.
        var all = language.Sum(l => l.Inputs + l.Outputs) * 2 * size;
        var perToken = recompute ? (all / layers) + (model.Head.Shape[1] * layers * size) : all;
        return (int)Math.Clamp(budgetBytes / Math.Max(1, perToken), Least, Most);
    }
}
