using System.Text.Json;
using Fovea.Evaluation;
using Fovea.Evaluation.IfEval;
using Fovea.Evaluation.IfEval.Language;

namespace Fovea.Tests.Unit.Evaluation;

public sealed class IfEvalTests
{
    private static readonly JsonElement Golden = Json("evaluation/ifeval.json");
    private static readonly JsonElement More = Json("evaluation/instructions.json");

    [Fact]
    public void Every_instruction_is_followed_as_the_original_says()
    {
        using var folder = new TempFolder();
        var rows = Golden.GetProperty("rows").EnumerateArray().ToList();
        var benchmark = new IfEvalBenchmark();
        var data = folder.Write("input_data.jsonl", string.Join('\n', rows.Select(row => row.GetRawText().ReplaceLineEndings(" "))));
        var items = benchmark.Read(new BenchmarkInput { Data = data });
        var responses = folder.Write("responses.jsonl", string.Join('\n', rows.Select(row => JsonSerializer.Serialize(
            new { prompt = row.GetProperty("prompt").GetString(), response = row.GetProperty("response").GetString() }))));
        var (answered, answers) = IfEvalResponses.Read(responses, items);
        Assert.Equal(rows.Count, answered.Count);
        Check(rows, answered, answers);

        var score = benchmark.Score(answered, answers);
        string[] names = ["prompt_level_strict_acc", "inst_level_strict_acc", "prompt_level_loose_acc", "inst_level_loose_acc"];
        string[] keys = ["prompt_strict", "instruction_strict", "prompt_loose", "instruction_loose"];
        Assert.Equal(names, score.Metrics.Select(metric => metric.Name));
        Assert.All(score.Metrics.Zip(keys), pair => Assert.Equal(Golden.GetProperty(pair.Second).GetDouble(), pair.First.Value, 1e-12));
        Assert.All(score.Metrics, metric => Assert.Equal(metric.Value, metric.Resample!([.. Enumerable.Range(0, items.Count)]), 1e-12));
        foreach (var one in Golden.GetProperty("per_instruction").EnumerateObject())
        {
            var n = one.Value.GetProperty("n").GetInt32();
            var groups = score.Groups.Where(group => group.Kind == "instruction" && group.Group == one.Name).ToDictionary(group => group.Metric);
            Assert.Equal(n, groups["inst_level_strict_acc"].Items);
            Assert.Equal(one.Value.GetProperty("strict").GetDouble() / n, groups["inst_level_strict_acc"].Value, 1e-12);
            Assert.Equal(one.Value.GetProperty("loose").GetDouble() / n, groups["inst_level_loose_acc"].Value, 1e-12);
        }
    }

    [Fact]
    public void Further_cases_of_every_instruction_are_judged_as_by_the_original()
    {
        var wrong = new List<string>();
        foreach (var row in More.GetProperty("rows").EnumerateArray())
        {
            var ids = Texts(row, "instruction_id_list");
            var arguments = row.GetProperty("kwargs").EnumerateArray().ToList();
            var rules = ids.Select((id, i) => InstructionRules.Find(id, new InstructionArguments(arguments[i], id))!).ToList();
            var followed = new IfEvalTruth(string.Empty, ids, rules).Follow(row.GetProperty("response").GetString()!);
            if (!Flags(row, "strict").Zip(Flags(row, "loose")).SequenceEqual(followed))
            {
                wrong.Add($"{row.GetProperty("response")} {row.GetProperty("kwargs")} {string.Join(' ', ids)} {string.Join(' ', followed)}");
            }
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Languages_are_told_as_langdetect_tells_them() => Same("languages", "language", text => LanguageDetector.Detect(text) ?? string.Empty);

    [Fact]
    public void Sentences_are_split_as_by_punkt_without_a_model() => Same("sentences", "sentences", text => string.Join('|', Sentences.Split(text)));

    [Fact]
    public void Words_are_split_by_the_Treebank_rules() => Same("words", "words", text => string.Join('|', TreebankWords.Split(text)));

    [Theory]
    [InlineData("Mr. Smith met Dr. Lee at 5 p.m. in the U.S. embassy. They talked.", 2)]
    [InlineData("It opens at 9 a.m. The shop is small. Prof. Hill owns it.", 3)]
    public void Common_abbreviations_end_no_sentence(string text, int count) => Assert.Equal(count, Sentences.Split(text).Count);

    [Theory]
    [InlineData("""{"key": 1, "prompt": "p", "instruction_id_list": ["punctuation:no_coma"], "kwargs": [{}]}""",
        "row 1: unknown instruction punctuation:no_coma; punctuation:no_comma is meant?")]
    [InlineData("""{"key": 1, "prompt": "p", "instruction_id_list": ["keywords:existence"], "kwargs": [{"keywords": null}]}""",
        "row 1: keywords:existence needs keywords, a list of texts, not null")]
    [InlineData(
        """{"key": 1, "prompt": "p", "instruction_id_list": ["keywords:frequency"], "kwargs": [{"keyword": "a", "frequency": 1, "relation": "most"}]}""",
        "keywords:frequency needs relation, \"less than\" or \"at least\", not \"most\"")]
    [InlineData("""{"key": 1, "prompt": "p", "instruction_id_list": ["punctuation:no_comma"], "kwargs": []}""",
        "instruction_id_list must name instructions, and kwargs have as many objects")]
    [InlineData("""{"prompt": "p", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}""", "row 1: key is missing")]
    [InlineData("""{"key": 1, "prompt": "p", "instruction_id_list": """, "is not valid JSON: it ends in the middle")]
    [InlineData("", "has no rows")]
    public void A_malformed_row_is_answered_with_its_place(string row, string expected)
    {
        using var folder = new TempFolder();
        var path = folder.Write("input_data.jsonl", row);
        var e = Assert.Throws<ConfigException>(() => new IfEvalBenchmark().Read(new BenchmarkInput { Data = path }));
        Assert.Contains(path, e.Message, StringComparison.Ordinal);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Answers_that_are_missing_doubled_or_foreign_are_named()
    {
        using var folder = new TempFolder();
        var data = folder.Write("input_data.jsonl", string.Join('\n', Enumerable.Range(1, 5).Select(i =>
            $$"""{"key": {{i}}, "prompt": "p{{i}}", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}""")));
        var items = new IfEvalBenchmark().Read(new BenchmarkInput { Data = data });
        string Answers(params string[] prompts) =>
            folder.Write("r.jsonl", string.Join('\n', prompts.Select(prompt => $$"""{"prompt": "{{prompt}}", "response": "a"}""")));

        var e = Assert.Throws<ConfigException>(() => IfEvalResponses.Read(Answers("p1", "p1", "x"), items));
        Assert.Equal(3, e.Problems.Count);
        Assert.Contains("1 answers belong to no prompt of the data: \"x\"", e.Message, StringComparison.Ordinal);
        Assert.Contains("1 answers are there twice: \"p1\"", e.Message, StringComparison.Ordinal);
        Assert.Contains("4 answers are missing: \"p2\", \"p3\", \"p4\", ...", e.Message, StringComparison.Ordinal);
        var (answered, answers) = IfEvalResponses.Read(Answers("p4", "p2"), items, allowMissing: true);
        Assert.Equal(["2", "4"], answered.Select(item => item.Id));
        Assert.Equal(1, new IfEvalBenchmark().Score(answered, answers).Metrics[0].Value);
    }

    [Fact]
    public void A_pattern_that_takes_too_long_is_not_followed()
    {
        var pattern = PythonPattern.Of("(a+)+$");
        Assert.Null(pattern.IsIn(new string('a', 40) + "b"));
        Assert.Null(PythonPattern.Of("(").IsIn("("));
    }

    private static void Same(string table, string key, Func<string, string> ours)
    {
        var wrong = new List<string>();
        foreach (var row in More.GetProperty(table).EnumerateArray())
        {
            var (text, value) = (row.GetProperty("text").GetString()!, row.GetProperty(key));
            var expected = value.ValueKind == JsonValueKind.Array ? string.Join('|', value.EnumerateArray()) : value.GetString() ?? string.Empty;
            if (ours(text) != expected)
            {
                wrong.Add($"{text} => {ours(text)}, not {expected}");
            }
        }

        Assert.Empty(wrong);
    }

    private static void Check(List<JsonElement> rows, IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers)
    {
        for (var i = 0; i < rows.Count; i++)
        {
            var followed = ((IfEvalTruth)items[i].Truth!).Follow(answers[i][0]);
            Assert.Equal(Flags(rows[i], "strict"), followed.Select(one => one.Strict));
            Assert.Equal(Flags(rows[i], "loose"), followed.Select(one => one.Loose));
        }
    }

    private static List<string> Texts(JsonElement row, string name) => [.. row.GetProperty(name).EnumerateArray().Select(item => item.GetString()!)];

    private static IEnumerable<bool> Flags(JsonElement row, string name) => row.GetProperty(name).EnumerateArray().Select(item => item.GetBoolean());

    private static JsonElement Json(string golden)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(TestFiles.Golden(golden)));
        return document.RootElement.Clone();
    }
}
