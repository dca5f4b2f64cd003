using Fovea.Evaluation.Tables;

namespace Fovea.Evaluation.Quick;

/// <summary>Two questions on each image, one of which is answered by yes and one by no, in fourteen categories.</summary>
internal sealed class MmeBenchmark : TableBenchmark
{
    private const string Instruction = " Please answer yes or no.";

    private static readonly string[] Perception =
        ["existence", "count", "position", "color", "posters", "celebrity", "scene", "landmark", "artwork", "OCR"];

    private static readonly string[] Cognition = ["commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning"];

    public override string Name => "mme";

    public override string Title => "MME: perception and cognition by pairs of yes-no questions";

    public override string Rule =>
        "Fu et al. 2023: a category scores accuracy in per cent plus the per cent of images whose questions are all answered right; perception is the "
        + "sum of ten categories (at most 2000), cognition of four (800). The answer is yes or no where it has one of the words and not the other "
        + "(VLMEvalKit @e8e78f0, exact matching, which calls cognition reasoning); otherwise it is wrong. Categories that are not in the data add "
        + "nothing.";

    public override string Prompt => "{question}\nAnswer the question using a single word or phrase.";

    public override int MaxNewTokens => 16;

    public override BenchmarkScore Score(IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers)
    {
        var reads = answers.Select(answer => YesNo.Read(answer[0])).ToList();
        var truths = items.Select(item => (MmeTruth)item.Truth!).ToList();
        var right = truths.Zip(reads, (truth, read) => truth.Yes == read).ToList();
        var images = new Clusters(truths.ConvertAll(truth => $"{truth.Category}\n{truth.Image}"));
        var whole = Categories(Enumerable.Range(0, images.Count).Select(cluster => (cluster, 1.0)));
        return new BenchmarkScore
        {
            Metrics = [Metric("perception", Perception), Metric("cognition", Cognition)],
            Items = [.. right.Select((isRight, i) => new ItemScore(isRight ? 1 : 0, YesNo.Note(reads[i], answers[i][0])))],
            Groups =
            [
                .. whole.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair =>
                    new GroupScore("category", pair.Key, truths.Count(truth => truth.Category == pair.Key), "score", pair.Value)),
            ],
        };

        MetricValue Metric(string name, string[] categories) => new(name, Sum(whole, categories), sample =>
        {
            // A category that the sample misses keeps its score.
            var drawn = Categories(images.Draw(sample));
            return Sum(whole.ToDictionary(pair => pair.Key, pair => drawn.GetValueOrDefault(pair.Key, pair.Value)), categories);
        });

        Dictionary<string, double> Categories(IEnumerable<(int Cluster, double Weight)> drawn)
        {
            var sums = new Dictionary<string, (double Right, double Questions, double Both, double Images)>(StringComparer.Ordinal);
            foreach (var (cluster, weight) in drawn)
            {
                var members = images[cluster];
                var correct = members.Count(i => right[i]);
                var category = truths[members[0]].Category;
                var sum = sums.GetValueOrDefault(category);
                var both = correct == members.Count ? weight : 0;
                sums[category] = (sum.Right + (weight * correct), sum.Questions + (weight * members.Count), sum.Both + both, sum.Images + weight);
            }

            return sums.ToDictionary(pair => pair.Key, pair => (100 * pair.Value.Right / pair.Value.Questions) + (100 * pair.Value.Both / pair.Value.Images));
        }
    }

    protected override IEnumerable<BenchmarkItem> Items(TableRow row, BenchmarkInput input, int number)
    {
        var question = PythonText.Trim(row.Text("question")).Replace(Instruction, string.Empty, StringComparison.Ordinal);
        var truth = YesNo.Truth(row, "answer");
        var category = row.Text("category");
        var image = row.PictureName ?? row.TextOrNull("question_id") ?? throw row.Problem("question_id or image_path must name the image");
        yield return new BenchmarkItem
        {
            // Both questions of an image have one question_id.
            Id = row.TextOrNull("index") ?? $"{category}-{Id(row, number)}-{number}",
            Turns = [Ask(row, input, question)],
            Question = question,
            Expected = YesNo.Word(truth),
            Groups = new Dictionary<string, string> { ["category"] = category },
            Truth = new MmeTruth(truth, category, image),
        };
    }

    private static double Sum(Dictionary<string, double> scores, string[] categories) => categories.Sum(category => scores.GetValueOrDefault(category));
}
