using System.Text.Json;
using Fovea.Evaluation;
using Fovea.Evaluation.Coherence;
using Fovea.Evaluation.Predictions;
using Fovea.Evaluation.Results;
using Fovea.Evaluation.Running;

namespace Fovea.Tests.Unit.Evaluation;

/// <summary>Answers that were made elsewhere, and results as files.</summary>
public sealed class PredictionFileTests
{
    private static readonly BenchmarkItem[] Items = [.. Enumerable.Range(1, 6).Select(i => new BenchmarkItem
    {
        Id = $"{i}", Turns = [Message.User($"q{i}")], Question = $"q{i}", Expected = "x",
    })];

    [Fact]
    public void Official_forms_are_read_and_written()
    {
        using var folder = new TempFolder();
        var answers = Items.Select((_, i) => (IReadOnlyList<string>)[$"\"{i}\" 猫\n"]).ToList();
        foreach (var form in new PredictionForm[] { NamedPredictions.Vqa, NamedPredictions.Captions, NamedPredictions.Plain, new PromptPredictions() })
        {
            var path = folder[form.FileName];
            form.Write(path, Items, answers);
            var read = form.Read(path);
            Assert.Equal(Items.Select(form.KeyOf), read.Select(prediction => prediction.Key));
            Assert.Equal(answers.Select(answer => answer[0]), read.Select(prediction => prediction.Answers.Single()));
        }

        NamedPredictions.Vqa.Write(folder["vqa.json"], Items, answers);
        using var json = JsonDocument.Parse(File.ReadAllText(folder["vqa.json"]));
        Assert.Equal(JsonValueKind.Number, json.RootElement[0].GetProperty("question_id").ValueKind);
        NamedPredictions.Captions.Write(folder["empty.json"], [], []);
        Assert.Empty(NamedPredictions.Captions.Read(folder["empty.json"]));
    }

    [Fact]
    public void Missing_doubled_and_foreign_answers_are_refused_and_three_of_each_are_named()
    {
        var given = new[] { "1", "2", "2", "2", "9", "8", "7", "10" }.Select(key => new Prediction(key, ["x"])).ToList();
        var problems = Assert.Throws<ConfigException>(() => PredictionMatch.Of(Items, given, NamedPredictions.Vqa, "r.json", allowMissing: false)).Problems;
        Assert.Equal(3, problems.Count);
        Assert.Equal("r.json: 1 with more than one answer for the same item: 2", problems[0]);
        Assert.Equal("r.json: 4 with answers to what the benchmark does not ask: 9, 8, 7, ...", problems[1]);
        Assert.Equal("r.json: 4 with no answer: 3, 4, 5, ...; --allow-missing scores the others", problems[2]);
    }

    [Fact]
    public void Missing_answers_may_be_allowed()
    {
        var given = new[] { "5", "2" }.Select(key => new Prediction(key, [$"answer {key}"])).ToList();
        var (items, answers) = PredictionMatch.Of(Items, given, NamedPredictions.Vqa, "r.json", allowMissing: true);
        Assert.Equal(["2", "5"], items.Select(item => item.Id));
        Assert.Equal(["answer 2", "answer 5"], answers.Select(answer => answer[0]));
        Assert.Throws<ConfigException>(() => PredictionMatch.Of(Items, [], NamedPredictions.Vqa, "r.json", allowMissing: true));
    }

    [Theory]
    [InlineData("[{\"question_id\": 1, \"answer\": \"x\"}, {\"id\": 2}]", "entry 2")]
    [InlineData("[{\"question_id\": 1, \"answer\": null}]", "entry 1")]
    [InlineData("{\"question_id\": 1, \"answer\": \"x\"}\n\n7\n", "line 3")]
    [InlineData("nonsense", "line 1")]
    public void A_file_of_another_form_is_refused_at_its_place(string text, string place)
    {
        using var folder = new TempFolder();
        Assert.Contains(place, Assert.Throws<ConfigException>(() => NamedPredictions.Vqa.Read(folder.Write("r.json", text))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_result_is_written_read_back_and_compared_with_itself()
    {
        using var folder = new TempFolder();
        var benchmark = new CoherenceBenchmark();
        var entry = Benchmarks.Find("coherence");
        var request = new EvaluationRequest { Entry = entry, Input = new(), Limit = 7, Output = folder["out"], Json = folder["file.json"] };
        var questions = QuestionSet.Read(request);
        Assert.Contains("The first 7 of 90 items", Assert.Single(questions.Notes), StringComparison.Ordinal);
        var answers = questions.Items.Select(item => (IReadOnlyList<string>)[.. item.Turns.Select((_, t) => $"answer {t} \u2028 <b>")]).ToList();
        var result = new EvaluationResult(benchmark, questions.Items, answers)
        {
            Notes = questions.Notes, Answerer = "me", Problems = new Dictionary<int, string> { [0] = "it was dark" },
        };
        Assert.Equal(2, ResultFolder.Write(request, result).Count);
        Assert.Equal(File.ReadAllText(folder["file.json"]), File.ReadAllText(Path.Combine(folder["out"], "results.json")));
        Assert.Contains("it was dark", File.ReadAllText(Path.Combine(folder["out"], "report.html")), StringComparison.Ordinal);
        using (var json = JsonDocument.Parse(File.ReadAllText(folder["file.json"])))
        {
            Assert.All(json.RootElement.GetProperty("metrics").EnumerateObject(), metric => Assert.Equal(JsonValueKind.Number, metric.Value.ValueKind));
            Assert.Equal(7, json.RootElement.GetProperty("samples").GetArrayLength());
        }

        var saved = SavedResult.Read(folder["out"]);
        var same = new Comparison(saved, SavedResult.Read(folder["file.json"]));
        Assert.Equal((0, 1.0), (same.Changed.Count, same.Test.P));

        // What was written can be scored again as answers made elsewhere.
        var again = PredictionScoring.Run(request with { Predictions = Path.Combine(folder["out"], "predictions.jsonl") });
        Assert.Equal(result.Score.Metrics.Select(metric => metric.Value), again.Score.Metrics.Select(metric => metric.Value));
    }

    [Fact]
    public void An_unknown_benchmark_is_refused_with_the_nearest_name()
    {
        Assert.Contains("did you mean coherence?", Assert.Throws<ConfigException>(() => Benchmarks.Find("coherense")).Message, StringComparison.Ordinal);
        Assert.Throws<ConfigException>(() => Benchmarks.Find("coherence", "exact"));
        Assert.Throws<ConfigException>(() => Benchmarks.Find("custom"));
        Assert.Equal(Benchmarks.All.Count, Benchmarks.All.Select(entry => entry.Benchmark.Name).Distinct().Count());
        Assert.All(Benchmarks.All, entry => Assert.Contains(entry.Benchmark.Name, BenchmarkList.Text(), StringComparison.Ordinal));
    }
}
