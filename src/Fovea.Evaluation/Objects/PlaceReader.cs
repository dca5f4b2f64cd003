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
    public static IReadOnlyList<IReadOnlyList<double>> Read(string answer) => [.. ReadNamed(answer).Select(place => place.Numbers)];

    /// <summary>
    /// The places with their labels: that of the JSON object a place stands in, else the name that was marked last, else the text since the place before.
    /// Places that follow one another share a label.
    /// </summary>
    public static IReadOnlyList<NamedPlace> ReadNamed(string answer)
    {
        var thought = answer.LastIndexOf(Thought, StringComparison.Ordinal);
        answer = thought < 0 ? answer : answer[(thought + Thought.Length)..];
        var marked = Marked().Matches(answer);
        var names = Names().Matches(answer);
        var places = new List<NamedPlace>();
        var (end, last) = (0, (string?)null);
        foreach (Match match in marked.Count > 0 ? marked : Bare().Matches(answer))
        {
            var inJson = JsonLabel(answer, match);
            var name = names.LastOrDefault(name => name.Index < match.Index);
            var before = Tags().Replace(answer[end..match.Index], string.Empty);
            before = before[(before.LastIndexOf('\n') + 1)..].Trim(' ', '\t', ':', ',');
            last = before.Length > 0 ? before : last;
            end = match.Index + match.Length;
            var numbers = Numbers(match);
            if (numbers.TrueForAll(double.IsFinite))
            {
                var label = inJson ?? name?.Groups["name"].Value.Trim();
                places.Add(new NamedPlace(numbers, label ?? last, IsMarked: label is not null));
            }
        }

        return places;
    }

    /// <summary>The label in the JSON object that a place stands in, which may be cut short.</summary>
    private static string? JsonLabel(string answer, Match place)
    {
        var open = answer.LastIndexOf('{', place.Index);
        if (open < 0 || answer.AsSpan(open, place.Index - open).Contains('}'))
        {
            return null;
        }

        var close = answer.IndexOfAny(['{', '}'], place.Index + place.Length);
        var label = Label().Match(answer[open..(close < 0 ? answer.Length : close)]);
        return label.Success ? Regex.Unescape(label.Groups["name"].Value).Trim() : null;
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

    [GeneratedRegex(
        @"<ref>(?<name>.*?)</ref>|<\|object_ref_start\|>(?<name>.*?)<\|object_ref_end\|>", RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex Names();

    [GeneratedRegex(@"<[^<>\n]*>", RegexOptions.CultureInvariant)]
    private static partial Regex Tags();

    [GeneratedRegex(@"""label""\s*:\s*""(?<name>(?:[^""\\]|\\.)*)""", RegexOptions.CultureInvariant)]
    private static partial Regex Label();

    // Where a model's tags are special tokens, only their numbers are left of them.
    [GeneratedRegex(
        $@"(?<![0-9.])(?<n>{One}){Then}(?<n>{One}){Then}(?<n>{One}){Then}(?<n>{One})(?![0-9])|^\s*(?<n>{One}){Then}(?<n>{One})\s*$",
        RegexOptions.CultureInvariant)]
    private static partial Regex Bare();
}
