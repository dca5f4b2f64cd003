using Fovea.Evaluation;
using Fovea.Evaluation.Custom;
using Fovea.Evaluation.Results;

namespace Fovea.Tests.Unit.Evaluation;

/// <summary>Benchmarks of one's own: metrics by name, rows of many kinds.</summary>
public sealed class CustomBenchmarkTests
{
    [Theory]
    [InlineData("exact", "", " A  Cat ", "a cat", 1)]
    [InlineData("exact", "case=true", "A cat", "a cat", 0)]
    [InlineData("exact", "", "cats", "cat", 0)]
    [InlineData("contains", "", "I see a Cat there", "cat", 1)]
    [InlineData("contains", "words=true", "a category", "cat", 0)]
    [InlineData("contains", "words=true", "a cat.", "cat", 1)]
    [InlineData("contains", "case=true", "a Cat", "cat", 0)]
    [InlineData("numeric", "", "The total is 1,234.50 EUR", "1234.5", 1)]
    [InlineData("numeric", "", "between 3 and 5", "5", 1)]
    [InlineData("numeric", "", "no idea", "5", 0)]
    [InlineData("numeric", "tolerance=0.1", "3.14", "3.2", 1)]
    [InlineData("numeric", "tolerance=0.05", "3.14", "3.2", 0)]
    [InlineData("numeric", "relative=0.05", "96", "100", 1)]
    [InlineData("numeric", "relative=0.05", "94", "100", 0)]
    [InlineData("numeric", "", "-7", "-7", 1)]
    [InlineData("numeric", "", "7", "-7", 0)]
    [InlineData("numeric", "", "1e3", "1000", 1)]
    [InlineData("anls", "", "Hello world", "hello  World", 1)]
    [InlineData("anls", "", "abcd", "abcx", 0.75)]
    [InlineData("anls", "", "abcd", "xyzd", 0)]
    [InlineData("anls", "threshold=0.2", "abcd", "xyzd", 0.25)]
    [InlineData("f1", "", "The black cat.", "a black dog", 0.5)]
    [InlineData("f1", "", "", "the", 1)]
    [InlineData("f1", "", "cat cat", "cat", 2 / 3.0)]
    [InlineData("json", "", "{\"total\": 3.5, \"shop\": \"ALDI\"}", "{\"total\": \"3.50\", \"shop\": \"Aldi\"}", 1)]
    [InlineData("json", "", "Here:\n```json\n{\"total\": 3, \"shop\": \"Lidl\"}\n```", "{\"total\": 3, \"shop\": \"Aldi\"}", 0.5)]
    [InlineData("json", "fields=items[1].price", "so {\"items\": [{}, {\"price\": 2}]}", "{\"items\": [{\"price\": 1}, {\"price\": 2}]}", 1)]
    [InlineData("json", "", "no json", "{\"a\": 1}", 0)]
    [InlineData("json", "", "{\"a\": [1, 2]}", "{\"a\": [1, 3]}", 0.5)]
    [InlineData("iou", "", "[0, 0, 10, 10]", "[0, 0, 10, 10]", 1)]
    [InlineData("iou", "", "box: (0, 0), (10, 5)", "0 0 10 10", 1)]
    [InlineData("iou", "", "(10,200),(300,400)", "[10,200,300,400]", 1)]
    [InlineData("iou", "", "[{\"bbox_2d\": [10, 20, 30, 40]}]", "10 20 30 40", 1)]
    [InlineData("iou", "threshold=0.6", "0 0 10 5", "[0,0,10,10]", 0)]
    [InlineData("iou", "expected=xywh", "10 10 20 20", "[10,10,10,10]", 1)]
    [InlineData("iou", "", "nothing", "[0,0,1,1]", 0)]
    [InlineData("regex", "", "order 4711 shipped", "47\\d\\d", 1)]
    [InlineData("regex", "", "order 4 shipped", "47\\d\\d", 0)]
    [InlineData("regex", "pattern=answer is (\\w+)", "the answer is B, I think", "b", 1)]
    [InlineData("regex", "pattern=answer is (\\w+)", "B", "b", 0)]
    public void A_metric_scores_by_its_rule(string metric, string setting, string answer, string expected, double score) =>
        Assert.Equal(score, CustomMetric.Of(metric, setting.Length > 0 ? [setting] : []).Score(answer, [expected]).Score, 9);

    [Fact]
    public void The_best_expected_answer_counts() =>
        Assert.All(["exact", "contains", "numeric", "anls", "f1", "regex"], name => Assert.Equal(1, CustomMetric.Of(name, []).Score("7", ["8", "7"]).Score));

    [Theory]
    [InlineData("exact", "cse=true", "only case")]
    [InlineData("exact", "case", "write it as key=value")]
    [InlineData("exact", "case=yes", "true or false")]
    [InlineData("numeric", "tolerance=x", "a number of at least 0")]
    [InlineData("f1", "case=true", "no settings")]
    [InlineData("regex", "pattern=(", "pattern")]
    [InlineData("iou", "expected=abc", "xyxy or xywh")]
    [InlineData("bleu", "", "it is one of exact, contains")]
    public void A_wrong_setting_is_refused_by_name(string metric, string setting, string said) => Assert.Contains(
        said, Assert.Throws<ConfigException>(() => CustomMetric.Of(metric, setting.Length > 0 ? [setting] : [])).Message, StringComparison.Ordinal);

    [Fact]
    public void Rows_have_fields_for_question_images_and_answers()
    {
        using var folder = new TempFolder();
        File.Copy(TestFiles.Golden("images/decode/exif1.jpg"), folder["a.jpg"]);
        var path = folder.Write("rows.jsonl", """
            {"question": "How many?", "image": "a.jpg", "answer": 7, "category": "count"}
            {"id": "two", "question": "First <image> or second <image>?", "images": ["a.jpg", "a.jpg"], "answers": ["first", "the first"]}
            {"prompt": "Where?", "bbox": [1, 2, 3, 4]}
            """);
        var items = new CustomBenchmark(CustomMetric.Of("exact", [])).Read(new BenchmarkInput { Data = path, Prompt = "Q: {question}" });
        Assert.Equal(["1", "two", "3"], items.Select(item => item.Id));
        Assert.Equal(["How many?", "First <image> or second <image>?", "Where?"], items.Select(item => item.Question));
        Assert.Equal([1, 2, 0], items.Select(item => item.Turns[0].Parts.OfType<Image>().Count()));
        Assert.Equal("Q: How many?", string.Concat(items[0].Turns[0].Parts.OfType<Text>()));
        Assert.Equal("Q: First ", ((Text)items[1].Turns[0].Parts[0]).Value);
        Assert.Equal("count", items[0].Groups["category"]);
        Assert.Equal(["7", "first | the first", "[1, 2, 3, 4]"], items.Select(item => item.Expected));
    }

    [Fact]
    public void Rows_that_training_reads_end_with_the_expected_answer()
    {
        using var folder = new TempFolder();
        var path = folder.Write("rows.json", """
            [{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "One?"}, {"role": "assistant", "content": "1"},
              {"role": "user", "content": "Two?"}, {"role": "assistant", "content": "2"}]},
             {"instruction": "Add", "input": "1 and 1", "output": "2"}]
            """);
        var benchmark = new CustomBenchmark(CustomMetric.Of("exact", []));
        var items = benchmark.Read(new BenchmarkInput { Data = path });
        Assert.Equal(["Two?", "Add\n1 and 1"], items.Select(item => item.Question));
        Assert.Equal([Role.System, Role.User, Role.Assistant], items[0].Before.Select(message => message.Role));
        var result = new EvaluationResult(benchmark, items, [["2"], ["3"]]);
        Assert.Equal(50, result.Score.Metrics[0].Value);
    }

    [Fact]
    public void Rows_of_tables_are_read_too()
    {
        using var folder = new TempFolder();
        var path = folder.Write("rows.csv", "question,answer,category\nHow many?,7,count\n\"Which, of two?\",left,side\n");
        var items = new CustomBenchmark(CustomMetric.Of("exact", [])).Read(new BenchmarkInput { Data = path });
        Assert.Equal(["How many?", "Which, of two?"], items.Select(item => item.Question));
        Assert.Equal(["7", "left"], items.Select(item => item.Expected));
    }

    [Fact]
    public void Rows_of_VLMEvalKits_tables_have_their_pictures_in_base64()
    {
        using var folder = new TempFolder();
        var image = Convert.ToBase64String(File.ReadAllBytes(TestFiles.Golden("images/decode/exif1.jpg")));
        var path = folder.Write("rows.tsv", $"index\timage\tquestion\tanswer\tcategory\n4\t{image}\tHow many?\t7\tcount\n");
        var item = Assert.Single(new CustomBenchmark(CustomMetric.Of("exact", [])).Read(new BenchmarkInput { Data = path }));
        Assert.Equal(("4", "How many?", "7", "count"), (item.Id, item.Question, item.Expected, item.Groups["category"]));
        Assert.Single(item.Turns[0].Parts.OfType<Image>());
    }

    [Fact]
    public void Every_row_that_cannot_be_used_is_named()
    {
        using var folder = new TempFolder();
        var path = folder.Write("rows.jsonl", "{\"question\": \"a\"}\n{\"answer\": \"b\"}\n{\"question\": \"<image>?\", \"answer\": \"c\"}\n[1]\n");
        var benchmark = new CustomBenchmark(CustomMetric.Of("exact", []));
        var problems = Assert.Throws<ConfigException>(() => benchmark.Read(new BenchmarkInput { Data = path })).Problems;
        Assert.Equal(4, problems.Count);
        Assert.Contains("no expected answer", problems[0], StringComparison.Ordinal);
        Assert.Contains("no text in question", problems[1], StringComparison.Ordinal);
        Assert.Contains("1 times <image> in its question, and 0 images", problems[2], StringComparison.Ordinal);
    }

    [Fact]
    public void Further_numbers_of_a_metric_are_means_with_intervals()
    {
        using var folder = new TempFolder();
        var path = folder.Write("rows.jsonl", "{\"question\": \"a\", \"answer\": {\"x\": 1, \"y\": 2}}\n{\"question\": \"b\", \"answer\": {\"x\": 1}}\n");
        var benchmark = new CustomBenchmark(CustomMetric.Of("json", []));
        var result = new EvaluationResult(benchmark, benchmark.Read(new BenchmarkInput { Data = path }), [["{\"x\": 1}"], ["none"]]);
        Assert.Equal([("fields", 25), ("all_fields", 0), ("valid_json", 50)], result.Score.Metrics.Select(metric => (metric.Name, metric.Value)));
        Assert.All(result.Intervals, interval => Assert.NotNull(interval));
        Assert.Equal("wrong: y", result.Score.Items[0].Note);
    }
}
