using Fovea.Data.Sampling;

namespace Fovea.Data.Datasets;

/// <summary>What the keys of mixing must fulfil together: LLaMA-Factory's rules, and what its draws need of probabilities.</summary>
internal static class MixRules
{
    // numpy's own tolerance: the square root of the distance from 1 to the next double.
    private const double Tolerance = 1.4901161193847656e-8;

    /// <summary>All that is wrong, each with its key.</summary>
    public static IEnumerable<string> Problems(DataOptions options)
    {
        var (probabilities, strategy) = (options.InterleaveProbs, options.MixStrategy);
        if (probabilities.Count == 0)
        {
            yield break;
        }

        if (strategy == MixStrategy.Concat)
        {
            yield return "interleave_probs is only read with mix_strategy: interleave_under, interleave_over or interleave_once; set one, or remove the key";
        }

        foreach (var (key, names) in new[] { ("dataset", options.Dataset), ("eval_dataset", options.EvalDataset) })
        {
            // Held-out datasets that are not mixed need none.
            var mixed = names == options.Dataset ? names.Count > 0 : names.Count > 1 && !options.EvalOnEachDataset;
            if (mixed && names.Count != probabilities.Count)
            {
                yield return $"interleave_probs has {probabilities.Count} numbers and {key} names {names.Count}; give one number for each"
                    + (key == "eval_dataset" ? ", or set eval_on_each_dataset: true" : string.Empty);
            }
        }

        var sum = probabilities.Sum();
        if (probabilities.Any(one => !(one >= 0)))
        {
            yield return FormattableString.Invariant($"interleave_probs must be numbers of at least 0, not {probabilities.First(one => !(one >= 0))}");
        }
        else if (!(Math.Abs(sum - 1) <= Tolerance))
        {
            yield return FormattableString.Invariant($"interleave_probs must add up to 1; they add up to {sum:0.#######}");
        }
        else if (strategy is MixStrategy.InterleaveOver or MixStrategy.InterleaveOnce && probabilities.Contains(0) && probabilities.Count > 1)
        {
            yield return "interleave_probs has a 0: with interleave_over and interleave_once every dataset must end, and that one's turn never comes; "
                + "leave the dataset out";
        }
    }
}
