using System.Globalization;
using System.Text.RegularExpressions;

namespace Fovea.Evaluation.Custom;

/// <summary>Equal numbers, within a tolerance.</summary>
internal sealed partial class NumericMetric(MetricArguments arguments) : CustomMetric
{
    private readonly double tolerance = arguments.Number("tolerance", 0);
    private readonly double relative = arguments.Number("relative", 0);

    public override string Name => "numeric";

    public override string Rule => string.Create(CultureInfo.InvariantCulture,
        $"the last number in the answer (1,000.5 is 1000.5, 50 % is 50) is within {tolerance} of an expected one, or within {relative} of its size; per cent");

    public override CustomScore Score(string answer, IReadOnlyList<string> expected)
    {
        var read = Read(answer);
        var right = read is { } number && expected.Select(Read).OfType<double>().Any(
            truth => Math.Abs(number - truth) <= Math.Max(tolerance, relative * Math.Abs(truth)) + (1e-9 * Math.Abs(truth)));
        return new CustomScore(right ? 1 : 0, read is { } known ? known.ToString("R", CultureInfo.InvariantCulture) : "no number");
    }

    /// <summary>The last number of a text, with or without commas between thousands; null where there is none.</summary>
    internal static double? Read(string text) => All(text) is { Count: > 0 } found ? found[^1] : null;

    /// <summary>All numbers of a text.</summary>
    internal static IReadOnlyList<double> All(string text) =>
        [.. Number().Matches(text).Select(match => double.Parse(match.Value.Replace(",", string.Empty), CultureInfo.InvariantCulture))];

    [GeneratedRegex(@"(?<![\p{L}\d.])[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?|(?<![\p{L}\d])[-+]?\.\d+", RegexOptions.CultureInvariant)]
    private static partial Regex Number();
}
