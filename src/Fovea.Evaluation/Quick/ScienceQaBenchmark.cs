using Fovea.Evaluation.Tables;

namespace Fovea.Evaluation.Quick;

/// <summary>School science with an image.</summary>
internal sealed class ScienceQaBenchmark : ChoiceBenchmark
{
    public override string Name => "scienceqa";

    public override string Title => "ScienceQA: school science with options, questions with an image";

    public override string Rule =>
        "The share of right answers, 0 to 1, by VLMEvalKit @e8e78f0, exact matching; an answer that names no option is wrong. "
        + "Rows without an image are left out.";

    public override string Prompt => $"{{question}}\n{LetterLine}";

    protected override IEnumerable<BenchmarkItem> Items(TableRow row, BenchmarkInput input, int number)
    {
        if (!row.HasPicture)
        {
            yield break;
        }

        var choices = Choices(row);
        var letter = Letter(row, choices);
        var question = row.Text("question");
        yield return new BenchmarkItem
        {
            Id = Id(row, number),
            Turns = [Ask(row, input, $"{(row.TextOrNull("hint") is { } hint ? $"Context: {hint}\n" : string.Empty)}{question}\n{Lines(choices)}")],
            Question = $"{question}\n{Lines(choices)}",
            Expected = letter,
            Groups = Groups(row, "split", "category", "l2-category", "subject", "topic", "grade"),
            Truth = new ChoiceTruth(choices, letter),
        };
    }
}
