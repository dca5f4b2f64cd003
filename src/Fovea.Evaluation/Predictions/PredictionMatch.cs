namespace Fovea.Evaluation.Predictions;

/// <summary>Brings the answers of a file to the items that they belong to.</summary>
internal static class PredictionMatch
{
    private const int Named = 3;
    private const int LongestKey = 60;

    /// <param name="path">The file, for messages.</param>
    /// <param name="allowMissing">Items without an answer are left out instead of refused.</param>
    /// <returns>The items that have answers, in their order, and the answers.</returns>
    /// <exception cref="ConfigException">Answers are missing, doubled, or belong to no item; names three of each.</exception>
    public static (IReadOnlyList<BenchmarkItem> Items, IReadOnlyList<IReadOnlyList<string>> Answers) Of(
        IReadOnlyList<BenchmarkItem> items, IReadOnlyList<Prediction> predictions, PredictionForm form, string path, bool allowMissing)
    {
        var given = new Dictionary<string, Prediction>(StringComparer.Ordinal);
        var doubled = new List<string>();
        foreach (var prediction in predictions)
        {
            if (!given.TryAdd(prediction.Key, prediction))
            {
                doubled.Add(prediction.Key);
            }
        }

        var known = items.Select(form.KeyOf).ToHashSet(StringComparer.Ordinal);
        var problems = new List<string>();
        Say(doubled.Distinct(), "more than one answer for the same item");
        Say(given.Keys.Where(key => !known.Contains(key)), "answers to what the benchmark does not ask");
        Say(items.Where(item => given.TryGetValue(form.KeyOf(item), out var of) && of.Answers.Count != item.Turns.Count).Select(item => item.Id),
            "a number of answers that is not the item's number of turns");
        var missing = items.Where(item => !given.ContainsKey(form.KeyOf(item))).Select(form.KeyOf).ToList();
        if (!allowMissing)
        {
            Say(missing, "no answer", "; --allow-missing scores the others");
        }

        if (problems.Count == 0 && missing.Count == items.Count)
        {
            problems.Add($"{path} answers none of the {items.Count} items");
        }

        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }

        var kept = missing.Count == 0 ? items : [.. items.Where(item => given.ContainsKey(form.KeyOf(item)))];
        return (kept, [.. kept.Select(item => given[form.KeyOf(item)].Answers)]);

        void Say(IEnumerable<string> keys, string what, string remedy = "")
        {
            var all = keys.ToList();
            if (all.Count > 0)
            {
                var more = all.Count > Named ? ", ..." : string.Empty;
                problems.Add($"{path}: {all.Count} with {what}: {string.Join(", ", all.Take(Named).Select(Short))}{more}{remedy}");
            }
        }
    }

    private static string Short(string key)
    {
        key = key.ReplaceLineEndings(" ");
        return key.Length <= LongestKey ? key : $"{key[..LongestKey]}...";
    }
}
