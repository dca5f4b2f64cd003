using Fovea.Evaluation.Tables;

namespace Fovea.Evaluation.Quick;

/// <summary>Whether objects are seen that are not there.</summary>
internal sealed class PopeBenchmark : TableBenchmark
{
    private static readonly string[] Names = ["acc", "precision", "recall", "f1", "yes_ratio"];

    public override string Name => "pope";

    public override string Title => "POPE: is an object in the image, asked for objects that are and are not";

    public override string Rule =>
        "Li et al. 2023: accuracy, precision and recall of yes, their F1, and the share of answers that are yes, in per cent. The answer is yes or no "
        + "where it has one of the words and not the other (VLMEvalKit @e8e78f0, exact matching); otherwise it is wrong and counts as no yes. A question "
        + "of several categories counts in each.";

    public override string Prompt => "{question}\nAnswer the question using a single word or phrase.";

    public override int MaxNewTokens => 16;

    public override BenchmarkScore Score(IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers)
    {
        var all = items.Select((item, i) => (Truth: (PopeTruth)item.Truth!, Read: YesNo.Read(answers[i][0]))).ToList();
        var tallies = all.ConvertAll(one => (one.Truth.Yes, one.Read, Times: one.Truth.Categories.Count));
        return new BenchmarkScore
        {
            Metrics = [.. Names.Select((name, k) => new MetricValue(name, Rates(tallies)[k], sample => Rates(sample.Select(i => tallies[i]))[k]))],
            Items = [.. all.Select((one, i) => new ItemScore(one.Read == one.Truth.Yes ? 1 : 0, YesNo.Note(one.Read, answers[i][0])))],
            Groups =
            [
                .. all.SelectMany(one => one.Truth.Categories.Select(category => (Category: category, one.Truth.Yes, one.Read)))
                    .GroupBy(one => one.Category, StringComparer.Ordinal).OrderBy(some => some.Key, StringComparer.Ordinal)
                    .SelectMany(some => Rates(some.Select(one => (one.Yes, one.Read, 1)))
                        .Zip(Names, (value, name) => new GroupScore("category", some.Key, some.Count(), name, value))),
            ],
        };
    }

    protected override IEnumerable<BenchmarkItem> Items(TableRow row, BenchmarkInput input, int number)
    {
        var question = PythonText.Trim(row.Text("question", "text"));
        var truth = YesNo.Truth(row, "answer", "label");
        var category = row.TextOrNull("category");
        yield return new BenchmarkItem
        {
            Id = category is null || row.Has("index") ? Id(row, number) : $"{category}-{Id(row, number)}",
            Turns = [Ask(row, input, question)],
            Question = question,
            Expected = YesNo.Word(truth),
            Groups = Groups(row, "category"),
            Truth = new PopeTruth(truth, category?.Split(',') ?? ["all"]),
        };
    }

    private static double[] Rates(IEnumerable<(bool Yes, bool? Read, int Times)> all)
    {
        var (right, truePositives, falsePositives, falseNegatives, count) = (0.0, 0.0, 0.0, 0.0, 0.0);
        foreach (var (yes, read, times) in all)
        {
            count += times;
            right += read == yes ? times : 0;
            truePositives += yes && read == true ? times : 0;
            falsePositives += !yes && read == true ? times : 0;
            falseNegatives += yes && read != true ? times : 0;
        }

        var precision = Share(truePositives, truePositives + falsePositives);
        var recall = Share(truePositives, truePositives + falseNegatives);
        var f1 = Share(2 * (precision * recall), precision + recall);
        double[] rates = [Share(right, count), precision, recall, f1, Share(truePositives + falsePositives, count)];
        return Array.ConvertAll(rates, rate => 100 * rate);
    }

    private static double Share(double part, double whole) => whole == 0 ? 0 : part / whole;
}
