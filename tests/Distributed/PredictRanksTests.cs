using Fovea.Runs.Files;
using Fovea.Tests.Unit.Robustness;

namespace Fovea.Tests.Distributed;

/// <summary>Two processes answer what one answers: rows shared out, or, with <c>zero: 3</c>, together; in calls of their own and while they train.</summary>
[Trait("Category", "Long")]
public sealed class PredictRanksTests : IDisposable
{
    private static readonly string Data = TestFiles.Golden("qwen2_5_vl_tiny/data");
    private readonly TinyRun run = new();

    public void Dispose() => run.Dispose();

    [Theory]
    [InlineData("zero=0")]
    [InlineData("zero=3")]
    public void Two_ranks_write_the_file_of_one_and_go_on_with_what_one_has_answered(string how)
    {
        Predict(1, "one", "zero=0");
        Predict(2, "two", how);
        Assert.Equal(Text("one"), Text("two"));
        Assert.Equal(2, Directory.GetFiles(run.Out("two/.predictions"), "answers.*").Length);

        // Some of the answers are lost; the files too.
        var log = run.Out("two/.predictions/answers.rank0.jsonl");
        File.WriteAllLines(log, File.ReadLines(log).Take(3).ToList());
        File.Delete(run.Out("two/generated_predictions.jsonl"));
        Assert.Contains("going on after", Predict(how == "zero=3" ? 1 : 2, "two", how == "zero=3" ? "zero=0" : how));
        Assert.Equal(Text("one"), Text("two"));
    }

    [Theory]
    [InlineData("zero=0")]
    [InlineData("zero=3")]
    public void Two_ranks_that_train_answer_and_choose_alike(string how)
    {
        string[] settings =
        [
            "max_steps=4", "val_size=5", "eval_strategy=steps", "eval_steps=1", "save_steps=1", "predict_with_generate=true", "eval_generate_samples=5",
            "max_new_tokens=4", "load_best_model_at_end=true", "metric_for_best_model=rouge-l", "learning_rate=0.02", "save_total_limit=1",
            "per_device_train_batch_size=1",
        ];
        RankGroup.Run(1, run.Train("one", [.. settings, "gradient_accumulation_steps=4"]));
        RankGroup.Run(2, run.Train("two", [.. settings, "gradient_accumulation_steps=2", how]));
        var (alone, both) = (State("one"), State("two"));
        Assert.Equal(Scores(alone), Scores(both));
        Assert.Equal(BestSoFar.Of(alone).Step, BestSoFar.Of(both).Step);
        Assert.Equal(
            Path.GetFileName(BestSoFar.Of(alone).Checkpoint), Path.GetFileName(BestSoFar.Of(both).Checkpoint));
    }

    private string Predict(int processes, string name, string how)
    {
        string[] words =
        [
            "predict", run.Config, $"output_dir={run.Out(name)}", "eval_dataset=tiny_shapes", $"dataset_dir={Data}", "max_samples=7", "max_new_tokens=4", how,
        ];
        using var process = FoveaProcess.StartWith(LaunchRun.Variables(("NPROC_PER_NODE", $"{processes}")), words);
        Assert.True(process.Wait() == 0, process.Output + process.Errors);
        return process.Output;
    }

    private string Text(string name) => File.ReadAllText(run.Out($"{name}/generated_predictions.jsonl"));

    private TrainerState State(string name) => TrainerState.Load(run.Out($"{name}/trainer_state.json"));

    private static List<double> Scores(TrainerState state) =>
        [.. state.LogHistory.Where(e => e.ContainsKey("eval_rouge-l")).Select(e => Convert.ToDouble(e["eval_rouge-l"]))];
}
