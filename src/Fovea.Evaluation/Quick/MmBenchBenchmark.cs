using System.Globalization;
using Fovea.Evaluation.Tables;

namespace Fovea.Evaluation.Quick;

/// <summary>Questions with options, each asked with its options in every rotation.</summary>
internal sealed class MmBenchBenchmark : ChoiceBenchmark
{
    // The index of a rotation is that of the question plus a multiple of this.
    private const long Rotation = 1_000_000;

    public override string Name => "mmbench";

    public override string Title => "MMBench: abilities by questions with options in every rotation";

    public override string Rule =>
        "Liu et al. 2024, circular: a question is right only if all its rotations are; the share of questions, 0 to 1 (VLMEvalKit @e8e78f0, exact "
        + "matching). An answer that names no option is wrong. Cells that are empty or nan are missing; the original's reader also takes None, NA and "
        + "N/A for missing.";

    public override string Prompt => $"{{question}}\n\n{LetterLine}";

    public override BenchmarkScore Score(IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers)
    {
        var alone = Judge(items, answers);
        var groups = new Clusters([.. items.Select(item => ((ChoiceTruth)item.Truth!).Group!)]);
        double[] right = [.. Enumerable.Range(0, groups.Count).Select(group => groups[group].All(i => alone[i].Score == 1) ? 1.0 : 0)];
        var main = Enumerable.Range(0, groups.Count).Select(group =>
            groups[group].Select(i => items[i]).OrderByDescending(item => ((ChoiceTruth)item.Truth!).IsMain).First());
        return new BenchmarkScore
        {
            Metrics = [new MetricValue(Metric, right.Average(), Resampled)],
            Items = [.. alone.Select((score, i) => score with { Score = right[groups.Of(i)], Note = Note(score, right[groups.Of(i)] == 1) })],
            Groups = [.. Means.ByGroup([.. main], right, Metric)],
        };

        double Resampled(int[] sample)
        {
            var (sum, weights) = (0.0, 0.0);
            foreach (var (group, weight) in groups.Draw(sample))
            {
                sum += weight * right[group];
                weights += weight;
            }

            return sum / weights;
        }
    }

    protected override IEnumerable<BenchmarkItem> Items(TableRow row, BenchmarkInput input, int number)
    {
        var choices = Choices(row);
        var index = row.NumberOrNull("index") is { } given && given == Math.Floor(given) ? (long)given : throw row.Problem("index must be a whole number");
        var main = row.NumberOrNull("g_index") is { } group ? (long)group : index % Rotation;
        var letter = Letter(row, choices);
        var hint = row.TextOrNull("hint");
        yield return new BenchmarkItem
        {
            Id = index.ToString(CultureInfo.InvariantCulture),
            Turns = [Ask(row, input, $"{(hint is null ? string.Empty : $"{hint} ")}{row.Text("question")} There are several options:\n{Lines(choices)}")],
            Question = $"{row.Text("question")}\n{Lines(choices)}",
            Expected = letter,
            Groups = Groups(row, "split", "category", "l2-category"),
            Truth = new ChoiceTruth(choices, letter, main.ToString(CultureInfo.InvariantCulture), index == main),
        };
    }

    private static string? Note(ItemScore alone, bool isRight) =>
        alone.Score == 1 && !isRight ? "right, but another rotation of the question is not" : alone.Note;
}
