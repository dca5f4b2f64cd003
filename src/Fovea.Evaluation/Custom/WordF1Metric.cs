using System.Text.RegularExpressions;

namespace Fovea.Evaluation.Custom;

/// <summary>How many words the answer and an expected one share (SQuAD's F1, Rajpurkar et al. 2016).</summary>
internal sealed partial class WordF1Metric : CustomMetric
{
    public override string Name => "f1";

    public override string Rule =>
        "F1 of the words that the answer shares with the nearest expected one, lower-cased, without marks and English articles (as SQuAD); per cent";

    public override CustomScore Score(string answer, IReadOnlyList<string> expected)
    {
        var said = Words(answer);
        return new CustomScore(expected.Max(truth => F1(said, Words(truth))), string.Join(' ', said));
    }

    private static double F1(string[] said, string[] expected)
    {
        if (said.Length == 0 || expected.Length == 0)
        {
            return said.Length == expected.Length ? 1 : 0;
        }

        var left = expected.GroupBy(word => word).ToDictionary(of => of.Key, of => of.Count());
        var shared = 0;
        foreach (var word in said)
        {
            if (left.TryGetValue(word, out var count) && count > 0)
            {
                left[word] = count - 1;
                shared++;
            }
        }

        return 2.0 * shared / (said.Length + expected.Length);
    }

    private static string[] Words(string text) =>
        [.. ExactMetric.Plain(Mark().Replace(text.ToLowerInvariant(), string.Empty)).Split(' ').Where(word => word is not ("a" or "an" or "the" or ""))];

    [GeneratedRegex(@"[\p{P}\p{S}]")]
    private static partial Regex Mark();
}
