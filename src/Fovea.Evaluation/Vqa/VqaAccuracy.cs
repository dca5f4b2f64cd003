namespace Fovea.Evaluation.Vqa;

/// <summary>
/// The accuracy of VQA: an answer that three of the other nine people gave is right; averaged over leaving each of the ten out.
/// </summary>
internal static class VqaAccuracy
{
    /// <summary>The accuracy of one answer, 0 to 1.</summary>
    /// <param name="truths">What people answered; ten in the official files.</param>
    /// <param name="read">The answer as it was compared.</param>
    public static double Of(string answer, IReadOnlyList<string> truths, VqaRule rule, out string read)
    {
        var matches = rule == VqaRule.LmmsEval ? Matches(VqaText.LmmsEval, answer, truths, out read) : Official(answer, truths, out read);
        // As the original adds them up, so that the last digit is its own.
        var sum = 0.0;
        for (var i = 0; i < truths.Count; i++)
        {
            sum += Math.Min(1, (matches.Count - (matches.Contains(i) ? 1 : 0)) / 3.0);
        }

        return truths.Count == 0 ? 0 : sum / truths.Count;
    }

    /// <summary>The official rules compare raw texts, letter case and all, where everybody gave the same answer.</summary>
    private static HashSet<int> Official(string answer, IReadOnlyList<string> truths, out string read)
    {
        var first = truths.Count == 0 ? string.Empty : VqaText.Clean(truths[0]);
        var areAlike = truths.All(truth => ReferenceEquals(truth, truths[0]) || VqaText.Clean(truth) == first);
        return Matches(areAlike ? VqaText.Clean : text => VqaText.Official(VqaText.Clean(text)), answer, truths, out read);
    }

    private static HashSet<int> Matches(Func<string, string> make, string answer, IReadOnlyList<string> truths, out string read)
    {
        var made = read = make(answer);
        return [.. Enumerable.Range(0, truths.Count).Where(i => make(truths[i]) == made)];
    }
}
