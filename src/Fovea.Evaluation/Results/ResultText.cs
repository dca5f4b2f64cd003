using System.Globalization;
using System.Text;
using Fovea.Evaluation.Statistics;

namespace Fovea.Evaluation.Results;

/// <summary>Results and comparisons as a terminal shows them.</summary>
internal static class ResultText
{
    // More changed answers than this are in the JSON files and reports.
    private const int ShownChanges = 20;
    private const int LongestAnswer = 70;

    public static string Of(EvaluationResult result)
    {
        var text = new StringBuilder();
        text.AppendLine(result.Answerer.Length > 0 ? $"{result.Benchmark.Title}: {result.Answerer}" : result.Benchmark.Title).AppendLine();
        foreach (var note in result.Notes)
        {
            text.AppendLine($"note: {note}");
        }

        text.Append(TextTable.Of(["metric", "value", "95 % interval"], result.Score.Metrics.Zip(
            result.Intervals, (metric, interval) => (IReadOnlyList<string>)[metric.Name, Number(metric.Value), Between(interval)])));
        foreach (var kind in result.Score.Groups.GroupBy(score => score.Kind))
        {
            var metrics = kind.Select(score => score.Metric).Distinct().ToList();
            text.AppendLine().Append(TextTable.Of([kind.Key, "items", .. metrics], kind.GroupBy(score => score.Group).Select(group => (IReadOnlyList<string>)
                [
                    group.Key, $"{group.Max(score => score.Items)}",
                    .. metrics.Select(metric => group.FirstOrDefault(score => score.Metric == metric) is { } score ? Number(score.Value) : "-"),
                ])));
        }

        text.AppendLine();
        foreach (var fact in result.AllFacts)
        {
            text.AppendLine($"{fact.Name.ToLowerInvariant()}: {fact.Text.ReplaceLineEndings("\n    ")}");
        }

        return text.ToString();
    }

    public static string Of(Comparison comparison)
    {
        var (first, second) = (comparison.First, comparison.Second);
        var text = new StringBuilder();
        text.AppendLine($"{first.Benchmark}: {comparison.Pairs.Count} items");
        text.AppendLine($"A  {first.Path}{Named(first)}");
        text.AppendLine($"B  {second.Path}{Named(second)}").AppendLine();
        if (!comparison.Complete)
        {
            text.AppendLine($"note: A has {first.Samples.Count} items and B {second.Samples.Count}; the {comparison.Pairs.Count} that both have are compared, "
                + "and the metrics are those of each as a whole");
        }

        text.Append(TextTable.Of(
            ["metric", "A", "B", "B - A", "95 % interval"],
            comparison.Metrics.Append(comparison.Mean).Select(of => (IReadOnlyList<string>)
                [of.Name, Number(of.First), Number(of.Second), Number(of.Second - of.First), Between(of.Interval)])));
        var test = comparison.Test;
        text.AppendLine().AppendLine($"{test.Name}: p = {P(test.P)}; B is better on {test.Better} items, worse on {test.Worse}");
        var changed = comparison.Changed;
        var order = changed.Count > 0 ? ", those first that became worse:" : string.Empty;
        text.AppendLine($"{changed.Count} of {comparison.Pairs.Count} answers changed{order}");
        foreach (var (a, b) in changed.Take(ShownChanges))
        {
            text.AppendLine($"  {a.Id}  {Score(a.Score)} -> {Score(b.Score)}  {Short(a.Question)}");
            text.AppendLine($"      A: {Short(a.Answer)}   B: {Short(b.Answer)}   expected: {Short(a.Expected)}");
        }

        return changed.Count > ShownChanges ? text.AppendLine($"  and {changed.Count - ShownChanges} more").ToString() : text.ToString();
    }

    private static string Named(SavedResult result) => result.Answerer.Length > 0 ? $" ({result.Answerer})" : string.Empty;

    private static string Number(double value) => value.ToString("0.00##", CultureInfo.InvariantCulture);

    private static string Score(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    private static string P(double p) => p < 0.0001 ? "below 0.0001" : p.ToString("0.0000", CultureInfo.InvariantCulture);

    private static string Between(Interval? interval) => interval is { } known ? $"{Number(known.Low)} to {Number(known.High)}" : "-";

    private static string Short(string text)
    {
        text = string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        return text.Length == 0 ? "(empty)" : text.Length <= LongestAnswer ? text : $"{text[..(LongestAnswer - 3)]}...";
    }
}
