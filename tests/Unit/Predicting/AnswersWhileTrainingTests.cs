using System.Text.Json.Nodes;
using Fovea.Events;
using Fovea.Runs.Files;
using Fovea.Tests.Unit.Library;
using Fovea.Tests.Unit.Robustness;
using Fovea.Tests.Unit.Training;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Unit.Predicting;

/// <summary>Answers generated while a run trains: logged as any metric, and without a trace in what is learnt.</summary>
public sealed class AnswersWhileTrainingTests : NativeTest
{
    private static readonly string[] Evaluated = ["val_size=6", "eval_strategy=steps", "eval_steps=2", "max_steps=4", "lora_dropout=0.1"];
    private static readonly string[] Answered = ["predict_with_generate=true", "eval_generate_samples=2", "max_new_tokens=3", "temperature=3.0"];
    private readonly TinyRun run = new();

    [Theory]
    [InlineData]
    [InlineData("bf16=true", "pure_bf16=false")]
    [InlineData("finetuning_type=full", "lora_dropout=0")]
    [InlineData("zero=3")]
    public void A_run_learns_the_same_with_and_without_them_to_the_byte(params string[] how)
    {
        Train("plain", how);
        Train("answered", [.. how, .. Answered]);
        Assert.Equal(run.Losses("plain"), run.Losses("answered"));
        Assert.Equal(Evaluations("plain"), Evaluations("answered"));
        foreach (var step in new[] { 2, 4 })
        {
            var (plain, answered) = (Files($"plain/checkpoint-{step}"), Files($"answered/checkpoint-{step}"));
            Assert.Equal(plain.Keys, answered.Keys);
            Assert.Contains(plain.Keys, name => name.StartsWith("optimizer", StringComparison.Ordinal));
            Assert.All(plain, file => Assert.True(file.Value.AsSpan().SequenceEqual(answered[file.Key]), file.Key));
        }
    }

    [Fact]
    public void Scores_are_logged_wherever_an_evaluation_is()
    {
        using var seen = new SeenEvents();
        SupervisedFineTune.Run(Config("logged", [.. Answered, "plot_loss=true", "report_to=tensorboard"]), [seen]);
        var evaluations = seen.All.OfType<Evaluated>().ToList();
        Assert.Equal([2, 4, 4], evaluations.Select(e => e.Step));
        string[] names = ["rouge-1", "rouge-2", "rouge-l", "bleu-4"];
        Assert.All(evaluations, e => Assert.Equal(names, e.AnswerMetrics.Keys));
        Assert.Equal(evaluations[1].AnswerMetrics, evaluations[2].AnswerMetrics);

        var history = TrainerState.Load(run.Out("logged/trainer_state.json")).LogHistory.Where(entry => entry.ContainsKey("eval_loss")).ToList();
        Assert.Equal(3, history.Count);
        Assert.Equal(evaluations.Select(e => e.AnswerMetrics["bleu-4"]), history.Select(entry => Convert.ToDouble(entry["eval_bleu-4"])));
        var log = File.ReadLines(run.Out("logged/trainer_log.jsonl")).Select(line => JsonNode.Parse(line)!.AsObject())
            .Where(line => line.ContainsKey("eval_loss"));
        Assert.Equal(evaluations.Select(e => e.AnswerMetrics["rouge-l"]), log.Select(line => (double)line["eval_rouge-l"]!));
        var results = JsonNode.Parse(File.ReadAllText(run.Out("logged/all_results.json")))!;
        Assert.Equal(evaluations[2].AnswerMetrics["rouge-1"], (double)results["eval_rouge-1"]!);
        Assert.All(names, name => Assert.True(File.Exists(run.Out($"logged/training_eval_{name}.svg")), name));
        var board = File.ReadAllBytes(Assert.Single(Directory.GetFiles(run.Out("logged/runs"), "events.out.tfevents*", SearchOption.AllDirectories)));
        Assert.True(board.AsSpan().IndexOf("eval/bleu-4"u8) >= 0);
    }

    [Fact]
    public async Task A_program_s_metric_sees_the_first_held_out_rows_with_their_answers_and_is_logged_under_its_name()
    {
        var calls = new List<IReadOnlyList<AnsweredRow>>();
        var heldOut = LibraryRows.Take(30).Skip(24).ToList();
        var result = await FineTune.FromFile(run.Config).On(LibraryRows.Take(24)).To(run.Out("metric"))
            .Measure(heldOut, Metrics.ExactMatch)
            .Measure(rows =>
            {
                calls.Add(rows);
                return rows.Count;
            }, "seen")
            .With(o =>
            {
                (o.Schedule.MaxSteps, o.Output.EvalStrategy, o.Output.EvalSteps, o.Output.EvalGenerateSamples) = (2, IntervalStrategy.Steps, 2, 4);
                o["max_new_tokens"] = 2;
            })
            .RunAsync();
        Assert.Equal(["exact_match", "seen"], result.AnswerMetrics.Keys.Order());
        Assert.Equal(4, result.AnswerMetrics["seen"]);
        var rows = Assert.Single(calls); // the last step's are not asked twice
        Assert.Equal(heldOut.Take(4).Select(row => row.Messages[^1]), rows.Select(row => row.Row.Messages[^1]));
        Assert.Contains("\"eval_exact_match\":", File.ReadAllText(run.Out("metric/trainer_log.jsonl")));
    }

    [Fact]
    public void A_metric_needs_a_name_of_its_own_that_can_be_logged()
    {
        Assert.Throws<ArgumentException>(() => FineTune.Of("m").Measure(_ => 0, "a metric"));
        Assert.Throws<ArgumentException>(() => FineTune.Of("m").Measure(_ => 0).Measure(_ => 1));
        Assert.Throws<ArgumentNullException>(() => FineTune.Of("m").Measure((Metric)null!));
    }

    [Fact]
    public void Accuracy_is_the_mean_over_samples_of_the_share_of_hits()
    {
        // One sample a batch: its token accuracy is its share.
        SupervisedFineTune.Run(TrainConfig.Load(
            run.Config, [$"output_dir={run.Out("trained")}", "max_samples=6", "learning_rate=0.02", "max_steps=12", "save_strategy=no"]), []);
        var shares = Enumerable.Range(0, 6).Select(i => Accuracies($"share{i}", i)["token_accuracy"]).ToList();
        var all = Accuracies("all", null);
        Assert.Equal(shares.Average(), all["accuracy"], 1e-12);
        Assert.NotEqual(all["token_accuracy"], all["accuracy"]);

        IReadOnlyDictionary<string, double> Accuracies(string name, int? row)
        {
            var rows = run.Rows(6, rows =>
            {
                for (var i = rows.Count - 1; i >= 0 && row is not null; i--)
                {
                    if (i != row)
                    {
                        rows.RemoveAt(i);
                    }
                }
            });
            using var seen = new SeenEvents();
            string[] settings =
            [
                $"output_dir={run.Out(name)}", rows[0], rows[1], "eval_dataset=rows", "do_eval=true", "max_steps=1", "save_strategy=no",
                $"adapter_name_or_path={run.Out("trained")}", "learning_rate=0", "compute_accuracy=true", "gradient_accumulation_steps=1",
            ];
            SupervisedFineTune.Run(TrainConfig.Load(run.Config, settings), [seen]);
            return Assert.Single(seen.All.OfType<Evaluated>()).Metrics;
        }
    }

    protected override void Cleanup() => run.Dispose();

    private TrainConfig Config(string name, params string[] more) => TrainConfig.Load(run.Config, [$"output_dir={run.Out(name)}", .. Evaluated, .. more]);

    private void Train(string name, params string[] more) => SupervisedFineTune.Run(Config(name, more), []);

    private List<double> Evaluations(string name) =>
        [.. TrainerState.Load(run.Out($"{name}/trainer_state.json")).LogHistory.Where(e => e.ContainsKey("eval_loss"))
            .Select(e => Convert.ToDouble(e["eval_loss"]))];

    /// <summary>A checkpoint's files but for the log, which holds the scores, and the state that counts on it.</summary>
    private SortedDictionary<string, byte[]> Files(string name) => new(Directory.GetFiles(run.Out(name))
        .Where(path => Path.GetFileName(path) is not "trainer_state.json").ToDictionary(path => Path.GetFileName(path), File.ReadAllBytes));
}
