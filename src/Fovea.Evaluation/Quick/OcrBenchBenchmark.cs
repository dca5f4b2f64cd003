using Fovea.Evaluation.Tables;

namespace Fovea.Evaluation.Quick;

/// <summary>Reading text in images: words, scenes, documents, forms and handwritten formulas.</summary>
internal sealed class OcrBenchBenchmark : TableBenchmark
{
    private const string Formulas = "Handwritten Mathematical Expression Recognition";
    private const string Recognition = "Text Recognition";

    private static readonly string[] OwnSums = ["Scene Text-centric VQA", "Doc-oriented VQA", "Key Information Extraction", Formulas];

    public override string Name => "ocrbench";

    public override string Title => "OCRBench: reading text in images";

    public override string Rule =>
        "Liu et al. 2024: an answer is right that contains one of the expected ones, without regard to case, formulas without blanks but with case. "
        + "Right answers are counted: Final Score (of 1000), Final Score Norm (a tenth of it), and sums of categories (VLMEvalKit @e8e78f0). A part of "
        + "the benchmark scores less accordingly.";

    public override string Prompt => "{question}";

    public override int MaxNewTokens => 128;

    public override BenchmarkScore Score(IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers)
    {
        double[] right = [.. items.Select((item, i) => IsRight((OcrTruth)item.Truth!, answers[i][0]) ? 1.0 : 0)];
        var sums = items.Select(item => Sum(((OcrTruth)item.Truth!).Category)).ToArray();
        return new BenchmarkScore
        {
            Metrics =
            [
                .. ((string[])[Recognition, .. OwnSums]).Select(name => Count(name, [.. right.Select((value, i) => sums[i] == name ? value : 0)], 1)),
                Count("Final Score", right, 1),
                Count("Final Score Norm", right, 0.1),
            ],
            Items = [.. right.Select(score => new ItemScore(score))],
            Groups = [.. Means.ByGroup(items, right, "accuracy", 100)],
        };
    }

    protected override IEnumerable<BenchmarkItem> Items(TableRow row, BenchmarkInput input, int number)
    {
        var question = PythonText.Trim(row.Text("question"));
        var expected = row.Texts("answer", "answers");
        var category = row.Text("category", "question_type", "type");
        yield return new BenchmarkItem
        {
            Id = Id(row, number),
            Turns = [Ask(row, input, question)],
            Question = question,
            Expected = string.Join(" | ", expected),
            Groups = new Dictionary<string, string> { ["category"] = category },
            Truth = new OcrTruth(expected, category),
        };
    }

    private static MetricValue Count(string name, double[] values, double scale) =>
        new(name, scale * values.Sum(), sample => scale * sample.Sum(i => values[i]));

    private static string Sum(string category) => OwnSums.Contains(category) ? category : Recognition;

    private static bool IsRight(OcrTruth truth, string answer)
    {
        var plain = Plain(answer, truth.Category);
        return truth.Answers.Any(expected => plain.Contains(Plain(expected, truth.Category), StringComparison.Ordinal));
    }

    private static string Plain(string text, string category) => category == Formulas
        ? PythonText.Trim(text).Replace('\n', ' ').Replace(" ", string.Empty, StringComparison.Ordinal)
        : PythonText.Trim(text.ToLowerInvariant()).Replace('\n', ' ');
}
