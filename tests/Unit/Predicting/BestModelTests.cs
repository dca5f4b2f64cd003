using System.Text.Json.Nodes;
using Fovea.Events;
using Fovea.Runs.Files;
using Fovea.Tests.Unit.Robustness;
using Fovea.Tests.Unit.Training;
using Fovea.Training.Config;
using Fovea.Training.Recipes;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Predicting;

/// <summary>The best checkpoint as the result, and stopping early, with the meaning that Transformers gives them.</summary>
public sealed class BestModelTests : NativeTest
{
    // The held-out loss falls, or rises where all weights learn; so that the last is not the best, the larger one may count as better.
    private static readonly string[] Evaluated =
    [
        "val_size=6", "eval_strategy=steps", "eval_steps=1", "save_steps=1", "max_steps=6", "learning_rate=0.05", "lr_scheduler_type=constant",
    ];

    private const string More = "greater_is_better=true";

    private readonly TinyRun run = new();

    [Theory]
    [InlineData(More)]
    [InlineData("bf16=true", More)]
    [InlineData("zero=3", More)]
    [InlineData("finetuning_type=full", "learning_rate=0.01")]
    [InlineData("finetuning_type=full", "learning_rate=0.01", "zero=2")]
    [InlineData("save_only_model=true", More)]
    public void The_best_checkpoint_becomes_the_result_and_is_never_removed(params string[] how)
    {
        var evaluations = Train("best", [.. how, "load_best_model_at_end=true", "save_total_limit=1"]);
        var during = evaluations.Where(e => !e.Final).ToList();
        var best = how.Contains(More) ? during.MaxBy(e => e.Loss)! : during.MinBy(e => e.Loss)!;
        Assert.InRange(best.Step, 1, 5);
        Assert.Equal(best.Loss!.Value, evaluations.Single(e => e.Final).Loss!.Value, 1e-12);
        var name = $"checkpoint-{best.Step}";
        Assert.Equal([name, "checkpoint-6"], Directory.GetDirectories(run.Out("best"), "checkpoint-*").Select(Path.GetFileName).Order());
        var state = JsonNode.Parse(File.ReadAllText(run.Out("best/trainer_state.json")))!;
        Assert.Equal(best.Loss, (double)state["best_metric"]!);
        Assert.Equal(best.Step, (int)state["best_global_step"]!);
        Assert.Equal(run.Out($"best/{name}"), (string)state["best_model_checkpoint"]!);
        foreach (var file in Directory.GetFiles(run.Out($"best/{name}"), "*.safetensors").Where(path => !Path.GetFileName(path).StartsWith("optimizer")))
        {
            Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(run.Out($"best/{Path.GetFileName(file)}")));
        }
    }

    [Theory]
    [InlineData("loss", null)]
    [InlineData("eval_token_accuracy", null)]
    [InlineData("token_accuracy", "false")]
    [InlineData("perplexity", "true")]
    public void The_metric_and_what_is_better_are_as_named(string metric, string? greater)
    {
        string[] better = greater is null ? [] : [$"greater_is_better={greater}"];
        var during = Train("metric", [$"metric_for_best_model={metric}", .. better]).Where(e => !e.Final).ToList();
        var values = during.Select(e => metric == "loss" ? e.Loss!.Value : e.Metrics[metric.Replace("eval_", "")]).ToList();
        var expected = (greater ?? (metric.EndsWith("loss") ? "false" : "true")) == "true" ? values.Max() : values.Min();
        var state = JsonNode.Parse(File.ReadAllText(run.Out("metric/trainer_state.json")))!;
        Assert.Equal(expected, (double)state["best_metric"]!);
        Assert.Equal(values.IndexOf(expected) + 1, (int)state["best_global_step"]!); // the first of equals
    }

    [Fact]
    public void A_run_stops_after_so_many_evaluations_that_were_no_better_and_is_then_over()
    {
        var evaluations = Train("early", "early_stopping_steps=2", "load_best_model_at_end=true", "max_steps=20", More);
        var during = evaluations.Where(e => !e.Final).Select(e => e.Loss!.Value).ToList();
        var (best, waited, stop) = (double.NegativeInfinity, 0, 0);
        for (; stop < during.Count && waited < 2; stop++)
        {
            waited = during[stop] > best ? 0 : waited + 1;
            best = Math.Max(best, during[stop]);
        }

        Assert.Equal(stop, during.Count);
        Assert.InRange(stop, 3, 19);
        var state = JsonNode.Parse(File.ReadAllText(run.Out("early/trainer_state.json")))!;
        Assert.Equal(stop, (int)state["global_step"]!);
        Assert.Equal(2, (int)state["stateful_callbacks"]!["EarlyStoppingCallback"]!["attributes"]!["early_stopping_patience_counter"]!);
        var adapter = run.Adapter("early");
        using var seen = new SeenEvents();
        var again = Config("early", "early_stopping_steps=2", "load_best_model_at_end=true", "max_steps=20", More);
        Assert.False(SupervisedFineTune.Run(again, [seen]).Interrupted);
        Assert.Contains($"it stopped early after {stop} of 20 steps", Assert.Single(seen.Notices));
        Assert.Equal(adapter, run.Adapter("early"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [Trait("Category", "Long")]
    public void An_interrupted_run_goes_on_to_the_same_end(int after)
    {
        string[] settings =
        [
            "early_stopping_steps=3", "load_best_model_at_end=true", "max_steps=12", "save_total_limit=1", "predict_with_generate=true",
            "eval_generate_samples=2", "max_new_tokens=2", More,
        ];
        Train("whole", settings);
        using (var seen = new SeenEvents(stopAfter: after))
        {
            Assert.True(SupervisedFineTune.Run(Config("parts", settings), [seen], seen.Stop).Interrupted);
        }

        Train("parts", [.. settings, "resume_from_checkpoint=true"]);
        Assert.Equal(run.Losses("whole"), run.Losses("parts"));
        Assert.Equal(run.Adapter("whole"), run.Adapter("parts"));
        var (whole, parts) = (State("whole"), State("parts"));
        Assert.Equal((whole.GlobalStep, BestSoFar.Of(whole) with { Checkpoint = null }), (parts.GlobalStep, BestSoFar.Of(parts) with { Checkpoint = null }));
        Assert.Equal(
            Path.GetFileName(BestSoFar.Of(whole).Checkpoint), Path.GetFileName(BestSoFar.Of(parts).Checkpoint));
        Assert.Equal(
            whole.LogHistory.Where(e => e.ContainsKey("eval_loss")).Select(e => (e["eval_loss"], e["eval_bleu-4"])),
            parts.LogHistory.Where(e => e.ContainsKey("eval_loss")).Select(e => (e["eval_loss"], e["eval_bleu-4"])));
    }

    [Fact]
    public void A_run_killed_after_its_last_checkpoint_but_before_its_end_does_not_train_on()
    {
        string[] settings = ["early_stopping_steps=2", "load_best_model_at_end=true", "max_steps=20", More];
        Train("whole", settings);
        var end = State("whole").GlobalStep;

        // What a kill leaves: checkpoints, and neither result nor end of the log.
        File.Delete(run.Out("whole/trainer_state.json"));
        var adapter = run.Adapter("whole");
        File.Delete(run.Out("whole/adapter_model.safetensors"));
        Train("whole", [.. settings, "resume_from_checkpoint=true"]);
        Assert.Equal(end, State("whole").GlobalStep);
        Assert.Equal(adapter, run.Adapter("whole"));
    }

    [Theory]
    [InlineData("needs eval_strategy and save_strategy to be the same", "load_best_model_at_end=true", "eval_strategy=epoch")]
    [InlineData("save_steps to be a multiple of eval_steps", "load_best_model_at_end=true", "eval_steps=2", "save_steps=3")]
    [InlineData("load_best_model_at_end needs evaluations", "load_best_model_at_end=true", "eval_strategy=no", "save_strategy=no")]
    [InlineData("early_stopping_steps needs evaluations", "early_stopping_steps=2", "eval_strategy=no")]
    [InlineData("do_predict needs predict_with_generate", "do_predict=true", "do_train=true")]
    [InlineData("exclude each other", "compute_accuracy=true", "predict_with_generate=true")]
    [InlineData("do_predict needs samples", "do_predict=true", "predict_with_generate=true", "val_size=0", "eval_strategy=no")]
    public void What_contradicts_itself_is_refused(string problem, params string[] settings) =>
        Assert.Contains(Assert.Throws<ConfigException>(() => Config("refused", settings)).Problems, p => p.Contains(problem));

    [Fact]
    public void A_metric_that_is_not_measured_is_refused_before_anything_is_loaded()
    {
        var e = Assert.Throws<ConfigException>(() => Train("unknown", "metric_for_best_model=bleu-4"));
        Assert.Contains("perplexity", e.Message);
        Assert.Contains("predict_with_generate: true", e.Message);
        Assert.Single(Train("known", "metric_for_best_model=bleu-4", "predict_with_generate=true", "max_new_tokens=1", "max_steps=1"), e => !e.Final);
    }

    [Fact]
    public void A_file_of_LLaMA_Factory_that_only_predicts_does_not_train()
    {
        var config = TrainConfig.Parse(
            "model_name_or_path: m\ndo_predict: true\npredict_with_generate: true\neval_dataset: a.json\noutput_dir: out\n", "test");
        Assert.False(config.Run.DoTrain);
        Assert.True(TrainConfig.Parse(
            "model_name_or_path: m\ndataset: b\ndo_train: true\ndo_predict: true\npredict_with_generate: true\neval_dataset: a\noutput_dir: out\n", "test")
            .Run.DoTrain);
    }

    [Fact]
    public void Only_a_better_evaluation_counts_and_none_is_better_than_no_number()
    {
        var best = BestModel.For(new RunSection { EarlyStoppingSteps = 2, SaveStrategy = IntervalStrategy.Steps, OutputDir = run.Folder })!;
        var steps = new[] { (1, 2.0), (2, 2.0), (3, 1.0), (4, double.NaN) };
        foreach (var (step, loss) in steps)
        {
            best.Take([new Evaluated(step, 9, 0, loss, 0, 1, 1)], step);
            Assert.False(best.HasStopped);
        }

        Assert.Equal(new BestSoFar(1.0, 3, null, 1), best.SoFar);
        best.Take([new Evaluated(5, 9, 0, 1.0, 0, 1, 1)], 5);
        Assert.True(best.HasStopped);
        best.Saving(3);
        var state = best.In(new TrainerState());
        Assert.Equal(best.SoFar, BestSoFar.Of(state));
        Assert.Equal(Path.Combine(run.Folder, "checkpoint-3"), best.SoFar.Checkpoint);
        var path = Path.Combine(run.Folder, "trainer_state.json");
        state.Save(path);
        Assert.Equal(best.SoFar, BestSoFar.Of(TrainerState.Load(path)));
    }

    protected override void Cleanup() => run.Dispose();

    private TrainConfig Config(string name, params string[] more) => TrainConfig.Load(run.Config, [$"output_dir={run.Out(name)}", .. Evaluated, .. more]);

    private List<Evaluated> Train(string name, params string[] more)
    {
        using var seen = new SeenEvents();
        SupervisedFineTune.Run(Config(name, more), [seen]);
        return [.. seen.All.OfType<Evaluated>()];
    }

    private TrainerState State(string name) => TrainerState.Load(run.Out($"{name}/trainer_state.json"));
}
