using System.Diagnostics;
using System.Globalization;
using Fovea.Data.Datasets;
using Fovea.Distributed;
using Fovea.Evaluation.Objects;
using Fovea.Generation;
using Fovea.Models;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Training.Answers;

/// <summary>
/// Generates answers to a run's first held-out samples with the weights as they are, and scores them. It takes no random numbers from the training and leaves
/// nothing behind, so that a run learns the same with and without it.
/// </summary>
/// <param name="rows">The held-out samples, of which the first are answered.</param>
/// <param name="warn">Told about samples that cannot be answered.</param>
internal sealed class HeldOutAnswers(TrainConfig config, RunInputs inputs, VisionLanguageModel model, ConversationSet rows, Mesh mesh, Action<string> warn)
{
    /// <summary>The scores by name, and how long it took. Every rank comes here and gets the same.</summary>
    public (IReadOnlyDictionary<string, double> Metrics, double Seconds) Measure()
    {
        var watch = Stopwatch.StartNew();
        var setup = inputs.Setup;
        var options = AnswerSettings.Of(config.Generation, GenerationFile.Read(inputs.Source.Folder, setup.Tokenizer, setup.Template.StopWords));
        var questions = new RowQuestions(rows, setup, options, config.Run.Seed, skipSpecialTokens: true);
        var answers = mesh.Gather("the answers of held-out samples", AnswerText.Of(Answer(questions)));
        var scored = mesh.FromMain("the scores of answers", () => Write(Score(questions, answers.SelectMany(AnswerText.Read))));
        return (Read(scored!), watch.Elapsed.TotalSeconds);
    }

    private List<RowAnswer> Answer(RowQuestions questions)
    {
        var ranks = new RankAnswers(config, mesh);
        var prompts = new PromptBuilder(
            inputs.Setup.Tokenizer, inputs.Setup.Template, inputs.Setup.Images, inputs.Setup.Options, inputs.Setup.Processor.TokenRows, inputs.Setup.Objects);
        using var answering = new BatchAnswering(model, inputs.Setup.Tokenizer, prompts, ranks.Sum);
        var rows = ranks.Share(Enumerable.Range(0, Math.Min(config.Run.EvalGenerateSamples, questions.Count)));
        var answers = new List<RowAnswer>();
        foreach (var (request, found, problem) in answering.AnswerAll(rows.Select(questions.Request), CancellationToken.None))
        {
            var row = (int)request.Tag!;
            if ((problem ?? questions.Problem(row)) is { } reason)
            {
                warn($"not answered: {questions.Bad(row, reason).Sample}");
                continue;
            }

            answers.Add(new RowAnswer(row, questions.Written(found[0])));
        }

        return answers;
    }

    private Dictionary<string, double> Score(RowQuestions questions, IEnumerable<RowAnswer> answers)
    {
        var all = answers.DistinctBy(answer => answer.Row).OrderBy(answer => answer.Row).ToList();
        var metrics = new Dictionary<string, double>();
        if (config.Run.PredictWithGenerate)
        {
            var texts = MeanScores.Means([.. all.Select(answer => questions.Score(answer.Text!, questions.Row(answer.Row)))]);
            var objects = ObjectScores.Means([.. all.Select(answer => questions.ScoreObjects(answer.Text!, answer.Row)).OfType<ObjectScore>()]);
            metrics = new Dictionary<string, double>(texts.Concat(objects));
        }

        var rows = all.Select(answer => new AnsweredRow(questions.Given(answer.Row), answer.Text!)).ToList();
        foreach (var (name, metric) in config.Run.AnswerMetrics)
        {
            metrics[name] = metric(rows);
        }

        return metrics;
    }

    private static string Write(Dictionary<string, double> metrics) =>
        string.Join('\n', metrics.Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Key} {pair.Value:R}")));

    private static Dictionary<string, double> Read(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(line => line.Split(' ')).ToDictionary(parts => parts[0], parts => double.Parse(parts[1], CultureInfo.InvariantCulture));
}
