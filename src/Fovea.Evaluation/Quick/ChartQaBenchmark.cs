using Fovea.Evaluation.Tables;

namespace Fovea.Evaluation.Quick;

/// <summary>Questions on charts, by people and by a program.</summary>
internal sealed class ChartQaBenchmark : TableBenchmark
{
    private const double Tolerance = 0.05;

    public override string Name => "chartqa";

    public override string Title => "ChartQA: questions on charts";

    public override string Rule =>
        "Masry et al. 2022, relaxed accuracy in per cent: a number may be 5 % off the expected one, other answers must be equal but for case "
        + "(pix2struct's function, as in VLMEvalKit @e8e78f0).";

    public override string Prompt => "{question}\nAnswer the question with a single word.";

    public override int MaxNewTokens => 16;

    /// <summary>Whether an answer is right: within the tolerance of a number that is not 0, or the same text.</summary>
    public static bool IsRight(string expected, string answer)
    {
        if (Number(answer) is { } number && Number(expected) is { } target and not 0)
        {
            return Math.Abs(number - target) / Math.Abs(target) <= Tolerance;
        }

        return string.Equals(answer.ToLowerInvariant(), expected.ToLowerInvariant(), StringComparison.Ordinal);
    }

    public override BenchmarkScore Score(IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers)
    {
        double[] scores = [.. items.Select((item, i) => Score((IReadOnlyList<string>)item.Truth!, PythonText.Trim(answers[i][0])))];
        return new BenchmarkScore
        {
            Metrics = [Means.Of("relaxed_accuracy", scores, 100)],
            Items = [.. scores.Select(score => new ItemScore(score))],
            Groups = [.. Means.ByGroup(items, scores, "relaxed_accuracy", 100)],
        };
    }

    protected override IEnumerable<BenchmarkItem> Items(TableRow row, BenchmarkInput input, int number)
    {
        var question = row.Text("question", "query");
        var expected = row.Texts("answer", "label", "answers");
        yield return new BenchmarkItem
        {
            Id = Id(row, number),
            Turns = [Ask(row, input, question)],
            Question = question,
            Expected = string.Join(" | ", expected),
            Groups = Groups(row, "split", "type"),
            Truth = expected,
        };
    }

    private static double Score(IReadOnlyList<string> expected, string answer) => expected.Any(one => IsRight(one, answer)) ? 1 : 0;

    private static double? Number(string text) => text.EndsWith('%') ? PythonFloat.Parse(text.TrimEnd('%')) / 100 : PythonFloat.Parse(text);
}
