using System.Text.RegularExpressions;

namespace Fovea.Evaluation.Texts;

/// <summary>
/// ROUGE as rouge_chinese 1.0.3 computes it: ROUGE-1 and ROUGE-2 over the different n-grams of both texts, so that repeats do not count, ROUGE-L over the
/// longest common subsequence of all words.
/// </summary>
internal static partial class WordOverlap
{
    /// <summary>
    /// The words that are compared, of words joined by blanks. Sentences are parted at their marks first, which leaves an empty word where nothing but
    /// blanks lies between two ends of lines; the original counts it.
    /// </summary>
    public static string[] Words(string joined)
    {
        var text = AfterMark().Replace(joined, "$1\n$2");
        text = AfterSixDots().Replace(text, "$1\n$2");
        text = AfterEllipsis().Replace(text, "$1\n$2");
        text = AfterQuote().Replace(text, "$1\n$2");
        var lines = PythonText.TrimEnd(text).Split('\n').Where(line => line.Length > 0);
        return [.. lines.SelectMany(line => string.Join(' ', PythonText.Words(line)).Split(' '))];
    }

    /// <summary>The F value over sets of n-grams.</summary>
    public static double Sets(string[] hypothesis, string[] reference, int n)
    {
        var (ours, theirs) = (Grams(hypothesis, n), Grams(reference, n));
        var both = ours.Count(theirs.Contains);
        return F(ours.Count == 0 ? 0 : (double)both / ours.Count, theirs.Count == 0 ? 0 : (double)both / theirs.Count);
    }

    /// <summary>The F value of the longest common subsequence. Neither side is empty.</summary>
    public static double Longest(string[] hypothesis, string[] reference)
    {
        var common = LongestCommon.Length(hypothesis, reference);
        return F((double)common / hypothesis.Length, (double)common / reference.Length);
    }

    private static double F(double precision, double recall) => 2.0 * (precision * recall / (precision + recall + 1e-8));

    // Words hold no blank, so joined ones are as different as they are.
    private static HashSet<string> Grams(string[] words, int n) =>
        [.. Enumerable.Range(0, Math.Max(0, words.Length - n + 1)).Select(i => string.Join(' ', words, i, n))];

    [GeneratedRegex("([。！？?])([^”’])", RegexOptions.CultureInvariant)]
    private static partial Regex AfterMark();

    [GeneratedRegex(@"(\.{6})([^”’])", RegexOptions.CultureInvariant)]
    private static partial Regex AfterSixDots();

    [GeneratedRegex("(…{2})([^”’])", RegexOptions.CultureInvariant)]
    private static partial Regex AfterEllipsis();

    [GeneratedRegex("([。！？?][”’])([^，。！？?])", RegexOptions.CultureInvariant)]
    private static partial Regex AfterQuote();
}
