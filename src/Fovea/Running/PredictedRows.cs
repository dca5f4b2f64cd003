using Fovea.Data.Datasets;
using Fovea.Data.Tokenizers;
using Fovea.Evaluation.Objects;
using Fovea.Evaluation.Report;
using Fovea.Evaluation.Statistics;
using Fovea.Evaluation.Texts;
using Fovea.Generation;
using Fovea.Training.Answers;
using Fovea.Training.Config;

namespace Fovea.Running;

/// <summary>All rows with their answers, as they are written, scored and shown.</summary>
internal sealed class PredictedRows
{
    private readonly TrainConfig config;
    private readonly RowQuestions questions;
    private readonly PromptBuilder prompts;
    private readonly Tokenizer tokenizer;
    private readonly List<RowAnswer> all;
    private readonly List<RowAnswer> answered;
    private readonly Dictionary<int, TextScores> scores;
    private readonly Dictionary<int, ObjectScore> objects;

    /// <param name="config">Names model and data, and a program's own metrics.</param>
    /// <param name="questions">The rows.</param>
    /// <param name="prompts">Says how a question is written.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="answers">What became of each row, in their order.</param>
    public PredictedRows(TrainConfig config, RowQuestions questions, PromptBuilder prompts, Tokenizer tokenizer, IEnumerable<RowAnswer> answers)
    {
        (this.config, this.questions, this.prompts, this.tokenizer) = (config, questions, prompts, tokenizer);
        all = [.. answers];
        answered = [.. all.Where(answer => answer.Text is not null)];
        scores = answered.ToDictionary(answer => answer.Row, answer => questions.Score(answer.Text!, questions.Row(answer.Row)));
        objects = answered.Select(answer => (answer.Row, Score: questions.ScoreObjects(answer.Text!, answer.Row))).Where(row => row.Score is not null)
            .ToDictionary(row => row.Row, row => row.Score!);
        var metrics = new Dictionary<string, double>(MeanScores.Means(scores.Values).Concat(ObjectScores.Means(objects.Values)));
        var rows = answered.Select(answer => new AnsweredRow(questions.Given(answer.Row), answer.Text!)).ToList();
        foreach (var (name, metric) in config.Run.AnswerMetrics)
        {
            metrics[name] = metric(rows);
        }

        Metrics = metrics;
    }

    /// <summary>Rows that have an answer.</summary>
    public int Count => answered.Count;

    /// <summary>Prompt with its special tokens, answer and label of each.</summary>
    public IEnumerable<(string Prompt, string Predict, string Label)> Written => answered.Select(answer =>
    {
        var row = questions.Row(answer.Row);
        return (tokenizer.Decode(prompts.Ids(RowQuestions.Asked(row))), answer.Text!, questions.Label(row));
    });

    /// <summary>Scores of all answers by name, a program's own metrics among them.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; }

    /// <summary>Writes the page to look at the answers.</summary>
    /// <param name="path">Replaced as a whole.</param>
    /// <param name="model">Folder of the model.</param>
    /// <param name="how">How answers were generated, in words.</param>
    public void WriteReport(string path, string model, string how)
    {
        var adapters = config.Model.AdapterNameOrPath;
        HtmlReport.Write(path, new AnswerReport
        {
            Title = $"Answers to {all.Count} held-out samples",
            Subtitle = adapters.Count == 0 ? model : $"{model} with {string.Join(", ", adapters)}",
            Metrics = [.. Metrics.Select(metric => WithInterval(metric.Key, metric.Value))],
            Facts =
            [
                new("Data", config.Data.EvalDataset.Count > 0
                    ? string.Join(", ", config.Data.EvalDataset)
                    : FormattableString.Invariant($"held out by val_size: {config.Data.ValSize} of {string.Join(", ", config.Data.Dataset)}")),
                new("Generation", how),
                new("Scores", "BLEU-4 and ROUGE as LLaMA-Factory computes them, 0 to 100; rows are ordered by ROUGE-L"
                    + (objects.Count == 0 ? string.Empty : ", those with boxes or points by these")),
                .. objects.Count == 0 ? [] : new[] { new ReportFact("Boxes and points", $"{ObjectScores.Rule}. Green is expected, red answered.") },
            ],
            Notes = answered.Count == all.Count ? [] : [$"{all.Count - answered.Count} samples could not be answered and are in no score."],
            Rows = [.. all.Select(Shown)],
        });
    }

    /// <summary>A score of texts is a mean over rows; what a program's own metric is, only the program knows.</summary>
    private ReportMetric WithInterval(string name, double value)
    {
        var place = TextScores.Names.ToList().IndexOf(name);
        if (place < 0)
        {
            return new ReportMetric(name, value);
        }

        var interval = Bootstrap.OfMean([.. answered.Select(answer => scores[answer.Row].Values[place])]);
        return new ReportMetric(name, value, interval.Low, interval.High);
    }

    private ReportRow Shown(RowAnswer answer)
    {
        var row = questions.Row(answer.Row);
        var scored = scores.TryGetValue(answer.Row, out var found);
        var places = objects.GetValueOrDefault(answer.Row);
        return new ReportRow
        {
            Id = row.Origin is { } origin ? $"{origin.Dataset}, row {origin.Row}" : $"{answer.Row + 1}",
            Turns = [.. Turns(row, answer.Text, places?.Marks ?? [])],
            Expected = Placeholders.Join(row.Messages[^1]),
            Score = places?.Goodness ?? (scored ? found.RougeL / 100 : 0),
            Note = answer.Problem,
            Scores =
            [
                .. places is null ? [] : ObjectScores.Means([places]).Select(score => new ReportMetric(score.Key, score.Value)),
                .. scored ? TextScores.Names.Zip(found.Values).Select(score => new ReportMetric(score.First, score.Second)) : [],
            ],
        };
    }

    private static IEnumerable<ReportTurn> Turns(Conversation row, string? answer, IReadOnlyList<ObjectMark> marks)
    {
        var shown = 0;
        var asked = new List<Message>();
        foreach (var message in row.Messages.Where(message => message.Role != Role.System))
        {
            if (message.Role != Role.Assistant)
            {
                asked.Add(message);
                continue;
            }

            List<Part> parts = [.. asked.SelectMany(question => question.Parts)];
            var text = string.Concat(parts.Select(part => part is Text piece ? piece.Value : part is ToolResult result ? $"{result.Content}\n" : "")).Trim();
            var first = shown;
            shown += parts.Concat(message.Parts).Count(part => part is Image);
            yield return new ReportTurn(text, ReferenceEquals(message, row.Messages[^1]) ? answer : Placeholders.Join(message))
            {
                Images = [.. parts.OfType<Image>().Select(image => image.Source)],
                Marks = [.. marks.Select(mark => mark with { Image = mark.Image - first })],
            };
            asked.Clear();
        }
    }
}
