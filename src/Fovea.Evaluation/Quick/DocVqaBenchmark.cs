using Fovea.Evaluation.Tables;

namespace Fovea.Evaluation.Quick;

/// <summary>Questions on scanned documents.</summary>
internal sealed class DocVqaBenchmark : TableBenchmark
{
    private const double Least = 0.5;

    public override string Name => "docvqa";

    public override string Title => "DocVQA: questions on documents (also InfoVQA's files)";

    public override string Rule =>
        "Biten et al. 2019, average normalised Levenshtein similarity (ANLS) in per cent: without regard to case and runs of blanks, over the longer "
        + "raw text; an answer nearer to none than 0.5 scores 0 (as in VLMEvalKit @e8e78f0).";

    public override string Prompt => "{question}\nAnswer the question using a single word or phrase.";

    public override int MaxNewTokens => 32;

    /// <summary>The similarity to the nearest expected answer, 0 where it is below one half.</summary>
    public static double Similarity(IEnumerable<string> expected, string answer)
    {
        var similarity = 1 - expected.Min(one => EditDistance.Normalised(one, answer));
        return similarity < Least ? 0 : similarity;
    }

    public override BenchmarkScore Score(IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers)
    {
        double[] scores = [.. items.Select((item, i) => Similarity((IReadOnlyList<string>)item.Truth!, answers[i][0]))];
        return new BenchmarkScore
        {
            Metrics = [Means.Of("anls", scores, 100)],
            Items = [.. scores.Select(score => new ItemScore(score))],
            Groups = [.. Means.ByGroup(items, scores, "anls", 100)],
        };
    }

    protected override IEnumerable<BenchmarkItem> Items(TableRow row, BenchmarkInput input, int number)
    {
        var question = row.Text("question");
        var expected = row.Texts("answers", "answer");
        yield return new BenchmarkItem
        {
            Id = Id(row, number),
            Turns = [Ask(row, input, question)],
            Question = question,
            Expected = string.Join(" | ", expected),
            Groups = Groups(row, "split", "category", "question_types"),
            Truth = expected,
        };
    }
}
