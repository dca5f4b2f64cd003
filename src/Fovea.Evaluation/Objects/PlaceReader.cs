using System.Globalization;
using System.Text.RegularExpressions;

namespace Fovea.Evaluation.Objects;

/// <summary>
/// Reads boxes and points out of an answer, in whatever form it writes them: lists in JSON, also in a code fence or cut short,
/// <c>(x1,y1),(x2,y2)</c> with or without a model's marks around it, and numbers in tags. What stands in a thought does not count.
/// </summary>
internal static partial class PlaceReader
{
    private const string One = @"[-+]?[0-9]+(?:\.[0-9]*)?";
    private const string Then = @"\s*[,\s]\s*";
    private const string Thought = "</think>";

    /// <summary>The numbers of each place in order: four of a box, two of a point.</summary>
    public static IReadOnlyList<IReadOnlyList<double>> Read(string answer)
    {
        var thought = answer.LastIndexOf(Thought, StringComparison.Ordinal);
        answer = thought < 0 ? answer : answer[(thought + Thought.Length)..];
        var marked = Marked().Matches(answer);
        return [.. (marked.Count > 0 ? marked : Bare().Matches(answer)).Select(Numbers).Where(numbers => numbers.TrueForAll(double.IsFinite))];
    }

    private static List<double> Numbers(Match match) =>
        [.. match.Groups["n"].Captures.Select(number => double.Parse(number.Value, CultureInfo.InvariantCulture))];

    // Pairs in brackets, joined by a comma, are the corners of a box; then lists of four; tags; lists of two.
    [GeneratedRegex(
        $@"\(\s*(?<n>{One})\s*,\s*(?<n>{One})\s*\)\s*,\s*\(\s*(?<n>{One})\s*,\s*(?<n>{One})\s*\)"
        + $@"|[\[(]\s*(?<n>{One}){Then}(?<n>{One}){Then}(?<n>{One}){Then}(?<n>{One})\s*[\])]"
        + $@"|<b?box>\s*(?<n>{One}){Then}(?<n>{One}){Then}(?<n>{One}){Then}(?<n>{One})(?=\s*(?:<|$))"
        + $@"|[\[(]\s*(?<n>{One})\s*,\s*(?<n>{One})\s*[\])]"
        + $@"|<point>\s*(?<n>{One}){Then}(?<n>{One})(?=\s*(?:<|$))",
        RegexOptions.CultureInvariant)]
    private static partial Regex Marked();

    // Where a model's tags are special tokens, only their numbers are left of them.
    [GeneratedRegex(
        $@"(?<![0-9.])(?<n>{One}){Then}(?<n>{One}){Then}(?<n>{One}){Then}(?<n>{One})(?![0-9])|^\s*(?<n>{One}){Then}(?<n>{One})\s*$",
        RegexOptions.CultureInvariant)]
    private static partial Regex Bare();
}
