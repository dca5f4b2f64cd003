using System.Text.Json.Nodes;
using Fovea.Events;
using Fovea.Runs.Files;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Unit.Training;

/// <summary>Held-out datasets that have numbers of their own (<c>eval_on_each_dataset</c>), under the names that Transformers gives them.</summary>
public sealed class HeldOutDatasetsTests : NativeTest
{
    private readonly TinyRun run = new();

    [Fact]
    public void Each_dataset_is_measured_as_if_it_were_the_only_one()
    {
        string[] every = ["eval_strategy=steps", "eval_steps=2", "max_steps=4", "do_eval=true", "plot_loss=true"];
        var each = Train("each", [.. every, "eval_on_each_dataset=true", .. Parts]);
        Assert.Equal(["first", "second", "first", "second", "first", "second"], each.Select(e => e.Dataset));
        Assert.Equal([2, 2, 4, 4, 4, 4], each.Select(e => e.Step));
        foreach (var name in new[] { "first", "second" })
        {
            var alone = Train(name, [.. every, $"eval_dataset={Path.Combine(run.Folder, name)}.json"]);
            Assert.Equal(alone.Select(e => (e.Step, e.Loss, e.Samples)), each.Where(e => e.Dataset == name).Select(e => (e.Step, e.Loss, e.Samples)));
            Assert.All(alone, e => Assert.Null(e.Dataset));
        }

        Assert.NotEqual(each[0].Loss, each[1].Loss);
        Assert.Equal(run.Adapter("first"), run.Adapter("each"));

        var history = TrainerState.Load(run.Out("each/trainer_state.json")).LogHistory.Where(entry => entry.Keys.Any(key => key.StartsWith("eval_"))).ToList();
        Assert.Equal(6, history.Count);
        string[] names =
        [
            "eval_first_loss", "eval_first_runtime", "eval_first_samples_per_second", "eval_first_steps_per_second", "epoch", "step",
        ];
        Assert.All(names, name => Assert.Contains(name, history[0].Keys));
        Assert.DoesNotContain(history[0].Keys, key => key is "eval_loss" || key.StartsWith("eval_second"));
        Assert.Equal(each.Select(e => e.Loss), history.Select((entry, i) => (double?)Convert.ToDouble(entry[$"eval_{each[i].Dataset}_loss"])));

        var log = File.ReadLines(run.Out("each/trainer_log.jsonl")).Select(line => JsonNode.Parse(line)!.AsObject()).ToList();
        Assert.Equal(
            each.Where(e => e.Dataset == "second").Select(e => e.Loss),
            log.Where(line => line.ContainsKey("eval_second_loss")).Select(line => (double?)line["eval_second_loss"]));
        foreach (var file in new[] { "eval_results.json", "all_results.json" })
        {
            var results = JsonNode.Parse(File.ReadAllText(run.Out($"each/{file}")))!;
            Assert.Equal((each[4].Loss, each[5].Loss), ((double?)results["eval_first_loss"], (double?)results["eval_second_loss"]));
        }

        Assert.True(File.Exists(run.Out("each/training_eval_second_loss.png")));
    }

    [Fact]
    public void Eval_gives_each_dataset_the_numbers_that_it_has_alone()
    {
        JsonObject Eval(string datasets, bool each)
        {
            var file = Path.Combine(run.Folder, "numbers.json");
            var (code, errors) = FailureTests.Invoke(
                ["eval", run.Config, "output_dir=", $"eval_dataset={datasets}", $"eval_on_each_dataset={(each ? "true" : "false")}", "--json", file]);
            Assert.True(code == 0, string.Join('\n', errors));
            return JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        }

        _ = Parts;
        var both = Eval(Names, each: true);
        Assert.DoesNotContain(both, pair => pair.Key is "eval_loss" or "epoch" or "step");
        foreach (var (name, samples) in new[] { ("first", 4), ("second", 3) })
        {
            var alone = Eval(Path.Combine(run.Folder, $"{name}.json"), each: false);
            foreach (var metric in new[] { "loss", "perplexity", "token_accuracy", "samples" })
            {
                Assert.Equal((double)alone[$"eval_{metric}"]!, (double)both[$"eval_{name}_{metric}"]!);
            }

            Assert.Equal(samples, (int)both[$"eval_{name}_samples"]!);
        }

        Assert.Equal(7, (int)Eval(Names, each: false)["eval_samples"]!);
    }

    [Fact]
    public void The_best_model_is_that_of_the_dataset_that_is_named()
    {
        string[] settings =
        [
            .. Parts, "eval_on_each_dataset=true", "eval_strategy=steps", "eval_steps=1", "save_steps=1", "max_steps=4", "learning_rate=0.05",
            "load_best_model_at_end=true", "greater_is_better=true",
        ];
        var measured = Train("best", [.. settings, "metric_for_best_model=eval_second_loss"]);
        var best = measured.Where(e => e is { Dataset: "second", Final: false }).MaxBy(e => e.Loss)!;
        var state = JsonNode.Parse(File.ReadAllText(run.Out("best/trainer_state.json")))!;
        Assert.Equal((best.Loss, best.Step), ((double?)state["best_metric"], (int)state["best_global_step"]!));
        var unknown = Assert.Throws<ConfigException>(() => Train("unknown", settings));
        Assert.Contains("metric_for_best_model: loss is not among what the evaluations of this run measure: first_loss", unknown.Message);
    }

    [Fact]
    public async Task A_program_gets_the_numbers_of_each()
    {
        var result = await FineTune.FromFile(run.Config).To(run.Out("program")).With(o =>
        {
            (o["eval_dataset"], o["eval_on_each_dataset"], o["do_eval"], o.Schedule.MaxSteps) = (Names, true, true, 1);
            (o["predict_with_generate"], o["max_new_tokens"]) = (true, 2);
            _ = Parts;
        }).RunAsync();
        Assert.Null(result.HeldOut);
        Assert.Equal(["first", "second"], result.HeldOutByDataset.Keys.Order());
        Assert.Equal((4, 3), (result.HeldOutByDataset["first"].Samples, result.HeldOutByDataset["second"].Samples));
        Assert.Contains("second_rouge-l", result.AnswerMetrics.Keys);
    }

    protected override void Cleanup() => run.Dispose();

    private string Names => $"{Path.Combine(run.Folder, "first.json")},{Path.Combine(run.Folder, "second.json")}";

    private string[] Parts
    {
        get
        {
            run.Rows(7, rows =>
            {
                var second = new JsonArray([.. rows.Skip(4).Select(row => row!.DeepClone())]);
                run.Write("second.json", second.ToJsonString());
                run.Write("first.json", new JsonArray([.. rows.Take(4).Select(row => row!.DeepClone())]).ToJsonString());
            });
            return [$"eval_dataset={Names}"];
        }
    }

    private List<Evaluated> Train(string name, params string[] more)
    {
        using var seen = new SeenEvents();
        SupervisedFineTune.Run(TrainConfig.Load(run.Config, [$"output_dir={run.Out(name)}", .. more]), [seen]);
        return [.. seen.All.OfType<Evaluated>()];
    }
}
