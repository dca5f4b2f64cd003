using System.Collections.Concurrent;
using Fovea.Evaluation.Quick;
using Fovea.Evaluation.Tables;

namespace Fovea.Evaluation.Vqa;

/// <summary>Visual questions with ten answers each: the official files of questions and answers, TextVQA's, and tables of VLMEvalKit and lmms-eval.</summary>
/// <param name="rule">Whose rules make answers alike; another one than the official makes a benchmark of another name.</param>
internal sealed class VqaBenchmark(VqaSet set, VqaRule rule = VqaRule.Official) : TableBenchmark
{
    private const string Metric = "accuracy";
    private const int Digits = 2;

    // Where a table's images were found last.
    private readonly ConcurrentDictionary<(string Root, string? Split), CocoImages> folders = new();

    /// <summary>By what the original breaks its accuracy down.</summary>
    internal static readonly string[] Kinds = ["question_type", "answer_type"];

    public override string Name => rule == VqaRule.Official ? set.Name : $"{set.Name}-lmms-eval";

    public override string Title => rule == VqaRule.Official ? set.Title : $"{set.Title}; answers read as lmms-eval does";

    public override string Rule => rule == VqaRule.Official
        ? "VQA accuracy in per cent, as GT-Vision-Lab/VQA @a013f00 (vqaEval.py) computes it: min(matches / 3, 1), averaged over leaving each of the ten "
            + "answers out; punctuation, numbers, articles and contractions are made alike unless all ten answers are the same text."
        : "VQA accuracy in per cent by the answer processor of lmms-eval @75571cf, which makes answers alike always, and does so to commas and 's too.";

    public override string Prompt => "{question}\nAnswer the question using a single word or phrase.";

    public override int MaxNewTokens => 16;

    public override IReadOnlyList<BenchmarkItem> Read(BenchmarkInput input) => VqaFiles.Find(set, input) is { } files
        ? VqaFiles.Read(files.Questions, files.Annotations, input, (question, image) => Ask(question, image, input))
        : base.Read(input.Data is null ? throw new ConfigException(Needed()) : input);

    public override BenchmarkScore Score(IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers)
    {
        var (scores, notes) = (new double[items.Count], new ItemScore[items.Count]);
        for (var i = 0; i < scores.Length; i++)
        {
            scores[i] = VqaAccuracy.Of(answers[i][0], ((VqaTruth)items[i].Truth!).Answers, rule, out var read);
            notes[i] = new ItemScore(scores[i], read == answers[i][0] ? null : $"read as \"{read}\"");
        }

        var mean = Means.Of(Metric, scores, 100);
        return new BenchmarkScore
        {
            Metrics = [mean with { Value = Rounded(scores) }],
            Items = notes,
            Groups =
            [
                .. Kinds.SelectMany(kind => items.Select((item, i) => (Group: item.Groups.GetValueOrDefault(kind), Score: scores[i]))
                    .Where(one => one.Group is not null)
                    .GroupBy(one => one.Group!, one => one.Score, StringComparer.Ordinal)
                    .Select(group => new GroupScore(kind, group.Key, group.Count(), Metric, Rounded([.. group])))),
            ],
        };
    }

    protected override IEnumerable<BenchmarkItem> Items(TableRow row, BenchmarkInput input, int number)
    {
        var question = row.Text("question");
        var truth = new VqaTruth([.. row.TextsOf("answer", "answers", "answer")]);
        if (truth.Answers.Length == 1)
        {
            throw row.Problem("one answer, where the rule needs those of ten people");
        }

        IReadOnlyList<Part> images = input.ScoresOnly ? [] : row.HasPicture ? [.. Images(row, input)] : [ById(row, input, number - 1)];
        yield return new BenchmarkItem
        {
            Id = row.TextOrNull("question_id", "questionId") ?? Id(row, number),
            Turns = [Ask(question, images, input)],
            Question = question,
            Expected = truth.Show(),
            Groups = Groups(row, Kinds),
            Truth = truth,
        };
    }

    private Message Ask(string question, IReadOnlyList<Part> images, BenchmarkInput input) =>
        new(Role.User, [.. images, new Text(Questions.Ask(input.Prompt ?? Prompt, set.Spell(question)))]);

    private Image ById(TableRow row, BenchmarkInput input, int item)
    {
        var place = (input.Images ?? Path.GetDirectoryName(Path.GetFullPath(row.File))!, row.TextOrNull("set_name", "split"));
        return VqaFiles.Picture(folders.GetOrAdd(place, of => new CocoImages(of.Root, of.Split)), row.Text("image_id"), row.Place, input.Asks(item));
    }

    private string Needed() => set.Prefix is { } prefix
        ? $"{Name} needs its official files: --questions {prefix}OpenEnded_mscoco_val2014_questions.json "
            + $"--annotations {prefix}mscoco_val2014_annotations.json, or --data with the folder of both, or a table (.tsv, .parquet, .json, .jsonl)"
        : $"{Name} needs --data: TextVQA_0.5.1_val.json, or a table (.tsv, .parquet, .jsonl)";

    // As the original reports: rounded to two digits, of the sum in the order of the file.
    private static double Rounded(IReadOnlyCollection<double> scores) => PythonRound.To(100 * scores.Sum() / scores.Count, Digits);
}
