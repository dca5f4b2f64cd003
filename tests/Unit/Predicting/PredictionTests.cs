using System.Text.Json.Nodes;
using Fovea.Distributed;
using Fovea.Evaluation.Texts;
using Fovea.Events;
using Fovea.Running;
using Fovea.Tests.Unit.Robustness;
using Fovea.Tests.Unit.Training;
using Fovea.Training.Config;

namespace Fovea.Tests.Unit.Predicting;

/// <summary>Answers to held-out rows: the files in LLaMA-Factory's form, going on after an end at any place, and what is refused.</summary>
public sealed class PredictionTests : NativeTest
{
    private static readonly string Data = TestFiles.Golden("qwen2_5_vl_tiny/data");
    private readonly TinyRun run = new();

    [Fact]
    public void Prompts_answers_and_labels_are_those_of_Transformers_under_the_rules_of_LLaMA_Factory()
    {
        Assert.True(Predict([], "do_sample=false", "max_new_tokens=12"));
        Assert.Equal(File.ReadAllText(TestFiles.Golden("predictions/expected.jsonl")), File.ReadAllText(Out("generated_predictions.jsonl")));

        var lines = Lines();
        var scores = TextScores.Mean([.. lines.Select(line => TextScores.Of((string)line["predict"]!, (string)line["label"]!))]);
        var results = JsonNode.Parse(File.ReadAllText(Out("predict_results.json")))!.AsObject();
        string[] names =
        [
            "predict_bleu-4", "predict_model_preparation_time", "predict_rouge-1", "predict_rouge-2", "predict_rouge-l", "predict_runtime",
            "predict_samples_per_second", "predict_steps_per_second",
        ];
        Assert.Equal(names, results.Select(pair => pair.Key));
        Assert.Equal((scores.Bleu4, scores.RougeL), ((double)results["predict_bleu-4"]!, (double)results["predict_rouge-l"]!));
        Assert.All(
            TextPredictions.Score(TextPredictions.Read(Out("generated_predictions.jsonl"))).Metrics,
            metric => Assert.Equal(metric.Value, (double)results[metric.Name]!)); // as by fovea evaluate text
        Assert.StartsWith("{\n    \"predict_bleu-4\": ", File.ReadAllText(Out("predict_results.json")));
        Assert.Equal(File.ReadAllText(Out("predict_results.json")), File.ReadAllText(Out("all_results.json")));
        var page = File.ReadAllText(Out("predictions.html"));
        Assert.Contains("data:image/", page);
        Assert.Contains("What is 5 plus 10?", page);
        Assert.Contains("rouge-l", page);
    }

    [Fact]
    public void Boxes_are_read_back_scored_and_drawn()
    {
        run.Rows(3, rows =>
        {
            for (var i = 0; i < rows.Count; i++)
            {
                rows[i]!["messages"]![1]!["content"] = i < 2 ? "<bbox>" : "Nothing.";
                var objects = i == 0 ? """{"bbox":[[0.1,0.2,0.5,0.9]],"bbox_type":"norm1"}""" : i == 1 ? """{"bbox":[[5,6]]}""" : "null";
                rows[i]!["objects"] = JsonNode.Parse(objects);
            }
        });
        Assert.True(Predict([], "eval_dataset=rows.json", $"dataset_dir={run.Folder}", "do_sample=false", "max_new_tokens=8"));
        var results = JsonNode.Parse(File.ReadAllText(Out("predict_results.json")))!.AsObject();
        Assert.Equal(
            ["predict_box_accuracy", "predict_box_center", "predict_box_iou", "predict_box_precision", "predict_point_distance"],
            results.Select(pair => pair.Key).Where(key => key.Contains("box_") || key.Contains("point_")));
        Assert.Equal(100, (double)results["predict_point_distance"]!); // the tiny model knows no boxes
        var page = File.ReadAllText(Out("predictions.html"));
        Assert.Contains("<rect class=\"wanted\"", page);
        Assert.Contains("<circle class=\"wanted\"", page);
        Assert.Matches(@"\(\d+,\d+\),\(\d+,\d+\)", (string)Lines()[0]["label"]!);
    }

    [Fact]
    public void An_answer_that_is_drawn_depends_on_its_row_and_the_seed_alone()
    {
        Predict([], "max_new_tokens=6", "temperature=2.0", "top_p=1.0");
        var all = Answers();
        Predict([], "max_new_tokens=6", "temperature=2.0", "top_p=1.0", "max_samples=3", "per_device_eval_batch_size=2");
        Assert.Equal(all.Take(3), Answers());
        Predict([], "max_new_tokens=6", "temperature=2.0", "top_p=1.0", "seed=43");
        Assert.NotEqual(all, Answers());
    }

    [Fact]
    public void What_was_answered_is_not_asked_again_wherever_the_call_was_ended()
    {
        string[] settings = ["do_sample=false", "max_new_tokens=4"];
        Predict([], [.. settings, $"output_dir={run.Out("whole")}"]);
        using (var seen = new Stopping(after: 3))
        {
            Assert.False(Predict([seen], seen.Stop, again: false, settings));
            Assert.Equal(3, seen.Interrupted!.Done);
        }

        Assert.False(File.Exists(Out("generated_predictions.jsonl")));

        // As if the machine had lost power while a line was written, in the middle of a letter.
        var log = Out(".predictions/answers.rank0.jsonl");
        using (var file = new FileStream(log, FileMode.Append))
        {
            file.Write([.. "{\"row\": 3, \"answer\": \""u8, 0xe7]);
        }

        using (var seen = new Stopping(after: 2))
        {
            Assert.False(Predict([seen], seen.Stop, again: false, settings));
            Assert.Equal(3, seen.Started!.Done);
        }

        using (var seen = new Stopping(after: 99))
        {
            Assert.True(Predict([seen], seen.Stop, again: false, settings));
            Assert.Equal(5, seen.Started!.Done);
            Assert.Equal([6, 7, 8], seen.Done);
        }

        Assert.Equal(File.ReadAllText(run.Out("whole/generated_predictions.jsonl")), File.ReadAllText(Out("generated_predictions.jsonl")));
    }

    [Fact]
    public void A_call_that_is_done_is_not_repeated_unless_asked_or_unless_something_it_depends_on_has_changed()
    {
        string[] settings = ["do_sample=false", "max_new_tokens=2", "max_samples=2"];
        Predict([], settings);
        var before = File.GetLastWriteTimeUtc(Out("generated_predictions.jsonl"));
        using var again = new SeenEvents();
        Assert.True(Predict([again], CancellationToken.None, again: false, settings));
        Assert.Contains("answered already", Assert.Single(again.Notices));
        Assert.Empty(again.All.OfType<PredictionStarted>());
        Assert.Equal(before, File.GetLastWriteTimeUtc(Out("generated_predictions.jsonl")));

        (bool Anew, string Changed)[] calls =
            [(true, "max_samples=2"), (false, "max_new_tokens=3"), (false, "max_samples=3"), (false, "image_max_pixels=2000")];
        foreach (var (anew, changed) in calls)
        {
            using var seen = new SeenEvents();
            Assert.True(Predict([seen], CancellationToken.None, anew, [.. settings, changed]));
            Assert.Equal(0, Assert.Single(seen.All.OfType<PredictionStarted>()).Done);
        }
    }

    [Fact]
    public void Files_that_were_lost_after_the_last_answer_are_written_without_the_model()
    {
        string[] settings = ["do_sample=false", "max_new_tokens=2", "max_samples=2"];
        Predict([], settings);
        var text = File.ReadAllText(Out("generated_predictions.jsonl"));
        File.Delete(Out("generated_predictions.jsonl"));
        using var seen = new SeenEvents();
        Assert.True(Predict([seen], CancellationToken.None, again: false, settings));
        Assert.Empty(seen.All.OfType<PredictionStarted>());
        Assert.Equal(text, File.ReadAllText(Out("generated_predictions.jsonl")));
    }

    [Fact]
    public void A_row_that_cannot_be_answered_stops_the_call_or_is_left_out_as_on_bad_sample_says()
    {
        var rows = run.Rows(3, rows => rows[1]!["images"]![0] = TestFiles.Golden("images/broken/truncated.jpg"));
        string[] settings = ["eval_dataset=rows", rows[1], "do_sample=false", "max_new_tokens=2"];
        var e = Assert.ThrowsAny<FoveaException>(() => Predict([], settings));
        Assert.Contains("row 2", e.Message);
        using var seen = new SeenEvents();
        Assert.True(Predict([seen], CancellationToken.None, again: false, [.. settings, "on_bad_sample=skip"]));
        Assert.Equal(2, Assert.Single(seen.All.OfType<SampleSkipped>()).Row);
        Assert.Equal(2, Lines().Count);
        Assert.Contains("truncated.jpg", File.ReadAllText(Out("predictions.html")));
    }

    [Fact]
    public void Special_tokens_are_kept_where_that_is_asked()
    {
        Predict([], "do_sample=false", "max_new_tokens=2", "max_samples=1", "skip_special_tokens=false");
        Assert.EndsWith("<|im_end|>\n", (string)Lines()[0]["label"]!);

        // They count in no score, as in LLaMA-Factory.
        var scores = Scores();
        Predict([], "do_sample=false", "max_new_tokens=2", "max_samples=1", "skip_special_tokens=true");
        Assert.DoesNotContain("<|im_end|>", (string)Lines()[0]["label"]!);
        Assert.Equal(Scores(), scores);

        IEnumerable<double> Scores() => [.. JsonNode.Parse(File.ReadAllText(Out("predict_results.json")))!.AsObject()
            .Where(pair => pair.Key.Contains("rouge", StringComparison.Ordinal) || pair.Key.Contains("bleu", StringComparison.Ordinal))
            .Select(pair => (double)pair.Value!)];
    }

    [Fact]
    public void Samples_must_be_held_out_and_a_folder_named()
    {
        var config = TrainConfig.Load(run.Config, ["output_dir="], ConfigUse.Any);
        var problems = Assert.Throws<ConfigException>(
            () => Prediction.Run(config, source: null, [], Mesh.Alone(), again: false, CancellationToken.None)).Problems;
        Assert.Contains(problems, problem => problem.Contains("output_dir"));
        Assert.Contains(problems, problem => problem.Contains("val_size"));
    }

    [Fact]
    public void Answers_of_the_base_do_not_stand_in_the_way_of_the_training()
    {
        string[] settings = ["val_size=4", "eval_dataset=", "do_sample=false", "max_new_tokens=2"];
        Predict([], settings);
        Assert.Equal(4, Lines().Count);
        var config = TrainConfig.Load(run.Config, [$"output_dir={Out()}", "val_size=4", "max_steps=1"]);
        Assert.False(new TestRun(config).Run().Interrupted);
    }

    [Fact]
    public void Training_ends_with_answers_of_its_result_and_goes_on_with_them()
    {
        string[] keys =
        [
            $"output_dir={Out()}", "val_size=3", "max_steps=2", "do_train=true", "do_predict=true", "predict_with_generate=true", "do_sample=false",
            "max_new_tokens=3", "learning_rate=1e-2",
        ];
        using (var seen = new Stopping(after: 1))
        {
            Assert.True(new TestRun(TrainConfig.Load(run.Config, keys)).Run([seen], seen.Stop).Interrupted);
        }

        using (var seen = new SeenEvents())
        {
            Assert.False(new TestRun(TrainConfig.Load(run.Config, keys)).Run([seen]).Interrupted);
            Assert.Contains(seen.Notices, notice => notice.Contains("this run has ended"));
            Assert.Equal(1, Assert.Single(seen.All.OfType<PredictionStarted>()).Done);
        }

        var all = JsonNode.Parse(File.ReadAllText(Out("all_results.json")))!.AsObject();
        Assert.True(all.ContainsKey("train_loss") && all.ContainsKey("predict_rouge-1"));

        // The same as by the command afterwards, which takes the adapter from the run's folder.
        var text = File.ReadAllText(Out("generated_predictions.jsonl"));
        var (code, _, errors) = FoveaProcess.Run(["predict", run.Config, .. keys, "--again"]);
        Assert.True(code == 0, errors);
        Assert.Equal(text, File.ReadAllText(Out("generated_predictions.jsonl")));
    }

    [Fact]
    [Trait("Category", "Long")]
    public void A_killed_command_goes_on_and_says_how_far_it_is()
    {
        string[] words = ["predict", run.Config, .. Keys("max_new_tokens=400", "do_sample=false", $"output_dir={run.Out("killed")}")];
        var log = run.Out("killed/.predictions/answers.rank0.jsonl");
        using (var process = FoveaProcess.Start(words))
        {
            Assert.True(process.WaitUntil(() => File.Exists(log) && Rows(log) >= 2), process.Errors);
            process.Kill();
        }

        // Rows that are answered together end nearly together: some are lost, so that there is something left to do.
        File.WriteAllLines(log, File.ReadLines(log).Take(3).ToList());
        var (code, output, errors) = FoveaProcess.Run([.. words, "max_new_tokens=400"]);
        Assert.True(code == 0, errors);
        Assert.Contains("going on after 2", output);
        Assert.Contains("answered 8/8 [", output);
        Assert.Contains("rows/s", output);
        Assert.Equal(8, File.ReadLines(run.Out("killed/generated_predictions.jsonl")).Count());

        static int Rows(string path)
        {
            using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
            return Math.Max(0, reader.ReadToEnd().Count(c => c == '\n') - 1);
        }
    }

    protected override void Cleanup() => run.Dispose();

    private string Out(string name = "") => Path.Combine(run.Out("answers"), name);

    private List<JsonObject> Lines() =>
        [.. File.ReadLines(Out("generated_predictions.jsonl")).Select(line => JsonNode.Parse(line)!.AsObject())];

    private List<string> Answers() => [.. Lines().Select(line => (string)line["predict"]!)];

    private string[] Keys(params string[] settings) =>
        [.. new[] { $"output_dir={Out()}", "eval_dataset=tiny_shapes", $"dataset_dir={Data}", "max_samples=8" }
            .Where(standard => !settings.Any(given => given.Split('=')[0] == standard.Split('=')[0])), .. settings];

    private bool Predict(IEnumerable<Fovea.Runs.Events.IEventSink> views, params string[] settings) =>
        Predict(views, CancellationToken.None, again: false, settings);

    private bool Predict(IEnumerable<Fovea.Runs.Events.IEventSink> views, CancellationToken stop, bool again, string[] settings) =>
        Prediction.Run(TrainConfig.Load(run.Config, Keys(settings), ConfigUse.Any), source: null, views, Mesh.Alone(), again, stop);

    /// <summary>Asks to stop after so many answers of its own.</summary>
    private sealed class Stopping(int after) : Fovea.Runs.Events.IEventSink, IDisposable
    {
        private readonly CancellationTokenSource stop = new();

        public CancellationToken Stop => stop.Token;

        public PredictionStarted? Started { get; private set; }

        public PredictionInterrupted? Interrupted { get; private set; }

        public List<int> Done { get; } = [];

        public void Write(RunEvent e)
        {
            Started = e as PredictionStarted ?? Started;
            Interrupted = e as PredictionInterrupted ?? Interrupted;
            if (e is RowAnswered row)
            {
                Done.Add(row.Done);
            }

            if (Done.Count == after)
            {
                stop.Cancel();
            }
        }

        public void Dispose() => stop.Dispose();
    }
}
