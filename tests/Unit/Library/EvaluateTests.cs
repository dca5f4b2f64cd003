using Fovea.Evaluation;
using Fovea.Evaluation.Results;
using Fovea.Evaluation.Running;

namespace Fovea.Tests.Unit.Library;

/// <summary>A model that answers benchmarks: resumed as if it had never stopped, with its own earlier answers as history.</summary>
public sealed class EvaluateTests : NativeTest
{
    private static readonly string Data = TestFiles.Golden("qwen2_5_vl_tiny/data");
    private readonly TempFolder folder = new();
    private readonly VisionModel model;

    // After the base class has counted what is open.
    public EvaluateTests() => model = VisionModel.LoadAsync(
        TestFiles.Golden("qwen2_5_vl_tiny/model"), new() { Device = "cpu", Adapter = TestFiles.Golden("qwen2_5_vl_tiny/adapter_final_tokens") })
        .GetAwaiter().GetResult();

    [Fact]
    public async Task Coherence_over_turns_runs_end_to_end_and_a_stopped_run_goes_on()
    {
        var whole = await Run(Request("whole"));
        Assert.Equal(4, whole.Items.Count);
        Assert.All(whole.Answers, answers => Assert.All(answers, answer => Assert.NotEmpty(answer)));

        using var stop = new CancellationTokenSource();
        var answered = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Run(Request("stopped"), told: progress =>
        {
            if (++answered == 9)
            {
                stop.Cancel();
            }
        }, cancel: stop.Token));
        var left = 0;
        var resumed = await Run(Request("stopped"), told: progress => left++);
        Assert.InRange(left, 1, whole.Answers.Sum(answers => answers.Count) - 9);
        Assert.Equal(whole.Answers.SelectMany(answers => answers), resumed.Answers.SelectMany(answers => answers));
        Assert.Contains(resumed.Facts, fact => fact.Name == "Resumed");

        // What a turn was asked with is what the model itself has said.
        var item = whole.Items[0];
        var asked = new List<Message>();
        foreach (var (turn, answer) in item.Turns.Zip(whole.Answers[0]))
        {
            asked.Add(turn);
            var alone = await model.AnswerAsync(asked, model.Generation with { DoSample = false, MaxNewTokens = 6 });
            Assert.Equal(answer, alone.Text);
            asked.Add(Message.Assistant(answer));
        }

        var refused = await Assert.ThrowsAsync<ConfigException>(() => Run(Request("stopped"), tokens: 7));
        Assert.Contains(refused.Problems, problem => problem.Contains("max_new_tokens: \"6\" there, \"7\" now", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_picture_that_cannot_be_read_is_a_wrong_answer_that_is_told()
    {
        File.Copy(Path.Combine(Data, "images/001_0.png"), folder["a.png"]);
        folder.Write("b.png", "no picture");
        var rows = folder.Write("rows.jsonl", """
            {"question": "What?", "image": "a.png", "answer": "x"}
            {"question": "What?", "image": "b.png", "answer": "x"}
            {"question": "What?", "image": "a.png", "answer": "y"}
            """);
        var request = new EvaluationRequest
        {
            Entry = Benchmarks.Find("custom", "exact"), Input = new BenchmarkInput { Data = rows, Prompt = "{question} Be brief." }, Output = folder["out"],
        };
        var result = await Run(request, tokens: 3);
        Assert.Equal([1], result.Problems.Keys);
        Assert.Contains("b.png", result.Problems[1], StringComparison.Ordinal);
        Assert.Contains("1 items could not be asked and count as wrong", Assert.Single(result.Notes), StringComparison.Ordinal);
        Assert.Equal(result.Answers[0], result.Answers[2]);
        Assert.Equal(string.Empty, result.Answers[1][0]);
        ResultFolder.Write(request, result);
        Assert.Contains("<dt>No answer</dt>", File.ReadAllText(Path.Combine(folder["out"], "report.html")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Metrics_from_code_see_all_rows_with_their_answers()
    {
        Conversation[] heldOut = [.. Enumerable.Range(0, 5).Select(i => new Conversation([Message.User($"Question {i}?"), Message.Assistant($"{i}")]))];
        var greedy = model.Generation with { DoSample = false, MaxNewTokens = 5 };
        var scores = await model.EvaluateAsync(
            heldOut, new Dictionary<string, Metric> { ["rows"] = rows => rows.Count, ["length"] = rows => rows.Average(row => row.Answer.Length) }, greedy);
        Assert.Equal(5, scores.Values["rows"]);
        Assert.True(scores.Values["length"] > 0);
        Assert.Equal(heldOut, scores.Rows.Select(row => row.Row));
        var alone = await model.AnswerAsync([heldOut[3].Messages[0]], greedy);
        Assert.Equal(alone.Text, scores.Rows[3].Answer);
        await Assert.ThrowsAsync<ConfigException>(() => model.EvaluateAsync([new Conversation([Message.User("?")])], new Dictionary<string, Metric>()));
    }

    [Fact]
    public async Task A_benchmark_by_its_name_gives_what_the_command_line_prints()
    {
        var rows = folder.Write("rows.jsonl", """
            {"question": "What is 1 + 1?", "answer": "2"}
            {"question": "What is 1 + 2?", "answer": "3"}
            {"question": "What is 2 + 2?", "answer": "4"}
            """);
        var told = new List<(int, int)>();
        var options = new BenchmarkOptions
        {
            Metric = "f1", Limit = 2, MaxNewTokens = 4, Output = folder["out"], Progress = (done, all) => told.Add((done, all)),
        };
        var scores = await model.EvaluateBenchmarkAsync("custom", rows, options);
        Assert.Equal(("custom", 2), (scores.Benchmark, scores.Items));
        Assert.Contains("The first 2 of 3", Assert.Single(scores.Notes), StringComparison.Ordinal);
        Assert.StartsWith("f1: ", scores.Rule, StringComparison.Ordinal);
        Assert.Equal([(1, 2), (2, 2)], told);
        Assert.True(File.Exists(Path.Combine(folder["out"], "report.html")));
        var (code, output, errors) = FoveaProcess.Run(
            "evaluate", "custom", "--data", rows, "--metric", "f1", "--limit", "2", "--max-new-tokens", "4", "--output", folder["out"], "--cpu",
            "--model", TestFiles.Golden("qwen2_5_vl_tiny/model"), "--adapter", TestFiles.Golden("qwen2_5_vl_tiny/adapter_final_tokens"));
        Assert.True(code == 0, errors);
        Assert.Contains("2 answers were there already", output, StringComparison.Ordinal); // the same settings, to the last one
        var metrics = SavedResult.Read(folder["out"]).Metrics;
        Assert.Equal(metrics, scores.Metrics.Select(metric => KeyValuePair.Create(metric.Name, metric.Value)));
        Assert.All(scores.Metrics, metric => Assert.InRange(metric.Value, metric.Low!.Value, metric.High!.Value));
        var unknown = await Assert.ThrowsAsync<ConfigException>(() => model.EvaluateBenchmarkAsync("okvqaa"));
        Assert.Contains("did you mean okvqa?", unknown.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ConfigException>(() => model.EvaluateBenchmarkAsync("coherence", options: new() { Limit = 0 }));
    }

    [Fact]
    public async Task Answers_are_not_taken_up_where_the_model_s_own_settings_have_changed()
    {
        foreach (var file in Directory.GetFiles(TestFiles.Golden("qwen2_5_vl_tiny/model")))
        {
            folder.Write($"copy/{Path.GetFileName(file)}", File.ReadAllBytes(file));
        }

        var settings = folder["copy/generation_config.json"];
        await Evaluate("{}");
        foreach (var (changed, told) in new[]
        {
            ("{\"min_new_tokens\": 2}", "min_new_tokens: \"0\" there, \"2\" now"),
            ("{\"no_repeat_ngram_size\": 2}", "no_repeat_ngram_size: \"0\" there, \"2\" now"),
            ("{\"presence_penalty\": 0.5}", "presence_penalty: \"0\" there, \"0.5\" now"),
            ("{\"stop_strings\": [\"x\"]}", "stop_strings: \"[]\" there, \"[\\\"x\\\"]\" now"),
        })
        {
            var refused = await Assert.ThrowsAsync<ConfigException>(() => Evaluate(changed));
            Assert.Contains(refused.Problems, problem => problem.Contains(told, StringComparison.Ordinal));
        }

        Assert.Contains((await Evaluate("{}")).Facts, fact => fact.Name == "Resumed");

        async Task<EvaluationResult> Evaluate(string text)
        {
            File.WriteAllText(settings, text);
            await using var copy = await VisionModel.LoadAsync(folder["copy"], new() { Device = "cpu" });
            var request = Request("settings") with { Limit = 1, MaxNewTokens = 3 };
            return (await copy.Evaluate(request, QuestionSet.Read(request), null, default))!;
        }
    }

    [Fact]
    public async Task An_answer_that_is_drawn_is_the_same_however_it_is_asked_for()
    {
        Conversation[] heldOut = [.. Enumerable.Range(0, 6).Select(i => new Conversation([Message.User("The same question?"), Message.Assistant("yes")]))];
        var drawn = model.Generation with { DoSample = true, Temperature = 2, TopK = 0, Seed = 5, MaxNewTokens = 8 };
        var scores = await model.EvaluateAsync(heldOut, new Dictionary<string, Metric>(), drawn);
        var answers = scores.Rows.Select(row => row.Answer).ToList();
        Assert.True(answers.Distinct().Count() > 3); // each row draws on its own
        Assert.Equal(answers.Order(), (await model.PredictAsync(heldOut, drawn).Select(row => row.Answer).ToListAsync()).Order());
        var outcomes = await model.AnswerAllAsync(heldOut.Select(row => row.Messages.Take(1).ToList()), drawn).ToListAsync();
        Assert.Equal(answers, outcomes.OrderBy(outcome => outcome.Index).Select(outcome => outcome.Answer.Text));
        await Assert.ThrowsAsync<ConfigException>(async () => await model.PredictAsync([new Conversation([Message.User("?")])]).ToListAsync());
    }

    protected override void Cleanup()
    {
        model.DisposeAsync().AsTask().GetAwaiter().GetResult();
        folder.Dispose();
    }

    private EvaluationRequest Request(string name) =>
        new() { Entry = Benchmarks.Find("coherence"), Input = new BenchmarkInput(), Limit = 4, Output = folder[name] };

    private async Task<EvaluationResult> Run(
        EvaluationRequest request, int tokens = 6, Action<BenchmarkProgress>? told = null, CancellationToken cancel = default) =>
        (await model.Evaluate(request with { MaxNewTokens = tokens }, QuestionSet.Read(request), told, cancel))!;
}
