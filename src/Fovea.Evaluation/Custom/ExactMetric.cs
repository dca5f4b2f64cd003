namespace Fovea.Evaluation.Custom;

/// <summary>Equal text.</summary>
internal sealed class ExactMetric(MetricArguments arguments) : CustomMetric
{
    private readonly bool caseCounts = arguments.Flag("case", false);

    public override string Name => "exact";

    public override string Rule => $"the answer equals an expected one, {(caseCounts ? "with" : "without")} regard to letter case; "
        + "blanks at the ends and runs of blanks do not count; per cent";

    public override CustomScore Score(string answer, IReadOnlyList<string> expected)
    {
        var read = Plain(answer);
        return new CustomScore(expected.Any(truth => Plain(truth).Equals(read, Comparison(caseCounts))) ? 1 : 0, read == answer ? null : read);
    }

    /// <summary>Single blanks between words, none at the ends.</summary>
    internal static string Plain(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    internal static StringComparison Comparison(bool caseCounts) => caseCounts ? StringComparison.Ordinal : StringComparison.OrdinalIgnoreCase;
}
