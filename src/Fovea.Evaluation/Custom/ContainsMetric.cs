namespace Fovea.Evaluation.Custom;

/// <summary>The expected text somewhere in the answer.</summary>
internal sealed class ContainsMetric(MetricArguments arguments) : CustomMetric
{
    private readonly bool caseCounts = arguments.Flag("case", false);
    private readonly bool wholeWords = arguments.Flag("words", false);

    public override string Name => "contains";

    public override string Rule => $"an expected answer stands in the answer{(wholeWords ? " as whole words" : string.Empty)}"
        + $", {(caseCounts ? "with" : "without")} regard to letter case; runs of blanks do not count; per cent";

    public override CustomScore Score(string answer, IReadOnlyList<string> expected)
    {
        var read = ExactMetric.Plain(answer);
        return new CustomScore(expected.Any(truth => Holds(read, ExactMetric.Plain(truth))) ? 1 : 0);
    }

    private bool Holds(string text, string part)
    {
        for (var at = 0; part.Length > 0 && (at = text.IndexOf(part, at, ExactMetric.Comparison(caseCounts))) >= 0; at++)
        {
            var end = at + part.Length;
            if (!wholeWords || ((at == 0 || !char.IsLetterOrDigit(text[at - 1])) && (end == text.Length || !char.IsLetterOrDigit(text[end]))))
            {
                return true;
            }
        }

        return false;
    }
}
