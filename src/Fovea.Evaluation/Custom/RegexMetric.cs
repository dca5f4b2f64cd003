using System.Text.RegularExpressions;

namespace Fovea.Evaluation.Custom;

/// <summary>Regular expressions: one that finds the answer in a text, or expected answers that are themselves patterns.</summary>
internal sealed class RegexMetric(MetricArguments arguments) : CustomMetric
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly Regex? pattern = arguments.Text("pattern") is { } text ? Compile(text, "--metric-arg pattern") : null;
    private readonly bool caseCounts = arguments.Flag("case", false);
    private readonly Dictionary<string, Regex> known = new(StringComparer.Ordinal);

    public override string Name => "regex";

    public override string Rule => pattern is null
        ? "an expected answer, as a regular expression, matches somewhere in the answer; per cent"
        : $"what {pattern} finds in the answer (its first group if it has one, the last match) equals an expected answer"
            + $"{(caseCounts ? string.Empty : ", letter case ignored")}; per cent";

    public override CustomScore Score(string answer, IReadOnlyList<string> expected)
    {
        try
        {
            if (pattern is null)
            {
                return new CustomScore(expected.Any(truth => Known(truth).IsMatch(answer)) ? 1 : 0);
            }

            var matches = pattern.Matches(answer);
            if (matches.Count == 0)
            {
                return new CustomScore(0, "no match");
            }

            var found = matches[^1].Groups is { Count: > 1 } groups ? groups[1].Value : matches[^1].Value;
            var comparison = ExactMetric.Comparison(caseCounts);
            return new CustomScore(expected.Any(truth => ExactMetric.Plain(truth).Equals(ExactMetric.Plain(found), comparison)) ? 1 : 0, found);
        }
        catch (RegexMatchTimeoutException)
        {
            return new CustomScore(0, "the pattern took longer than a second");
        }
    }

    private Regex Known(string truth) => known.TryGetValue(truth, out var regex) ? regex : known[truth] = Compile(truth, "the expected answer", !caseCounts);

    private static Regex Compile(string text, string what, bool ignoreCase = false)
    {
        try
        {
            return new Regex(text, RegexOptions.CultureInvariant | (ignoreCase ? RegexOptions.IgnoreCase : RegexOptions.None), Patience);
        }
        catch (ArgumentException e)
        {
            throw new ConfigException($"{what}: {e.Message}");
        }
    }
}
