using Fovea.Nn;

namespace Fovea.Models;

/// <summary>What the user is to know of a model's weights in 4 bits.</summary>
internal static class FourBitNotices
{
    private const int MostShown = 8;

    /// <param name="options">How the model was asked for.</param>
    /// <param name="stored">Weights that the files have in 4 bits, in the ledger's names.</param>
    public static IEnumerable<string> Of(VisionLanguageModel model, ModelSource source, ModelOptions options, IReadOnlyList<string> stored) =>
        stored.Count > 0 ? OfStored(model, source, options, stored) : options.FourBit is null ? [] : OfRounded(model, source, options);

    private static IEnumerable<string> OfStored(VisionLanguageModel model, ModelSource source, ModelOptions options, IReadOnlyList<string> stored)
    {
        var kept = stored.Where(name => model.Ledger.Contains(name) && model.Ledger[name].IsFourBit).ToList();
        var outside = kept.Count(name => source.Family.PartOf(name) != ModelPart.Language);
        yield return $"{source.Folder}: {kept.Count} linear layers are in 4 bits in its files and are used as they are"
            + (outside > 0 ? $", {outside} of them on the vision side" : string.Empty)
            + (options.FourBit is null ? string.Empty : "; quantization_bit has no effect on it");
        var unpacked = stored.Except(kept).Select(name => ExpertPiece.Of(name) is { } piece ? piece.Weight : name).Distinct()
            .Where(model.Ledger.Contains).ToList();
        if (unpacked.Count > 0)
        {
            yield return $"{source.Folder}: {unpacked.Count} weights are in 4 bits in its files and were unpacked, since they are trainable or no plain linear "
                + $"layers: {string.Join(", ", unpacked.Take(MostShown))}{(unpacked.Count > MostShown ? ", ..." : string.Empty)}";
        }
    }

    private static IEnumerable<string> OfRounded(VisionLanguageModel model, ModelSource source, ModelOptions options)
    {
        if (options.FourBit!.Skipped is not { } entries)
        {
            if (model.Ledger.Linears.Any(linear => source.Family.PartOf(linear.Weight.Name) != ModelPart.Language))
            {
                yield return $"the vision side is not rounded to 4 bits; {SkippedModules.Key}: [lm_head] rounds its linear layers too, as LLaMA-Factory does";
            }

            yield break;
        }

        var skipped = new SkippedModules(entries, source.Family.Names);
        var idle = skipped.Idle([.. model.Ledger.Parameters.Select(parameter => ModelOptions.ModuleOf(parameter.Name)), .. SkippedModules.Usual]);
        if (idle.Count > 0)
        {
            yield return $"{SkippedModules.Key}: {string.Join(", ", idle)} is the beginning or the end of no module's name";
        }

        if (!SkippedModules.Usual.All(skipped.Contains))
        {
            yield return $"{SkippedModules.Key}: the head is not rounded to 4 bits, though it is not in the list";
        }
    }
}
