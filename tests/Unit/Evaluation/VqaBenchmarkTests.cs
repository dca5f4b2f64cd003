using Fovea.Evaluation;
using Fovea.Evaluation.Vqa;

namespace Fovea.Tests.Evaluation;

/// <summary>The official files of visual questions, and tables with the same.</summary>
public sealed class VqaBenchmarkTests : IDisposable
{
    private const string Annotations = """
        {"data_subtype": "val2014", "annotations": [
          {"image_id": 42, "question_id": 421, "question_type": "one", "answer_type": "other", "answers": [ANSWERS]},
          {"image_id": 7, "question_id": 70, "question_type": "two", "answer_type": "other", "answers": [ANSWERS]}]}
        """;

    private const string Questions = """
        {"data_subtype": "val2014", "questions": [
          {"image_id": 7, "question_id": 70, "question": "What is it?"}, {"image_id": 42, "question_id": 421, "question": "Where IS it?"}]}
        """;

    private readonly TempFolder folder = new();
    private readonly VqaBenchmark okvqa = new(VqaSet.OkVqa);

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("COCO_val2014_000000000007.jpg", "COCO_val2014_000000000042.jpg")]
    [InlineData("val2014/COCO_val2014_000000000007.jpg", "val2014/COCO_val2014_000000000042.jpg")]
    [InlineData("000000000007.jpg", "val2014/000000000042.jpg")]
    public void Official_files_are_read_in_the_order_of_the_answers(string first, string second)
    {
        folder.Write(first, "x");
        folder.Write(second, "x");
        Official();

        var items = okvqa.Read(new BenchmarkInput { Data = folder.Path });

        Assert.Equal(["421", "70"], items.Select(item => item.Id));
        Assert.Equal(
            [new Image(MediaSource.FromFile(folder[second])), new Text("Where IS it?\nAnswer the question using a single word or phrase.")],
            items[0].Turns[0].Parts);
        Assert.Equal(("one", "other"), (items[0].Groups["question_type"], items[0].Groups["answer_type"]));
        Assert.Equal("bus (9), train", items[0].Expected);
    }

    [Fact]
    public void Scores_alone_need_no_images_and_no_questions()
    {
        var (_, annotations) = Official("other");
        var items = okvqa.Read(new BenchmarkInput { Annotations = annotations, ScoresOnly = true });
        Assert.Equal(95, okvqa.Score(items, [["Buses"], ["bus"]]).Metrics[0].Value * 2 - 5);
    }

    [Fact]
    public void A_missing_image_is_said_with_where_it_was_looked_for()
    {
        Official();
        var e = Assert.Throws<ConfigException>(() => okvqa.Read(new BenchmarkInput { Data = folder.Path }));
        Assert.Contains("annotations[0]", e.Problems[0]);
        Assert.Contains("COCO_val2014_000000000042.jpg", e.Problems[0]);
        Assert.Equal(2, e.Problems.Count);
    }

    [Theory]
    [InlineData("""{"annotations": 5}""", "no list 'annotations'")]
    [InlineData("""{"annotations": [3]}""", "annotations[0] must be an object")]
    [InlineData("""{"annotations": [{"answers": []}]}""", "annotations[0] has no question_id")]
    [InlineData("""{"annotations": [{"question_id": 1, "answers": []}]}""", "annotations[0] has no answers")]
    [InlineData("""{"annotations": [{"question_id": 1, "answers": [{"answer": 3}]}]}""", "annotations[0].answers[0].answer must be text")]
    [InlineData("""{"annotations": [{"question_id": 1, "answers": ["a"]}, {"question_id": 1, "answers": ["a"]}]}""", "question_id 1 stands twice")]
    [InlineData("""[1]""", "one JSON object")]
    [InlineData("{\n\"annotations\": [}", "line 2")]
    public void A_bad_file_is_said_with_its_place(string text, string expected)
    {
        var path = folder.Write("a.json", text);
        var e = Assert.Throws<ConfigException>(() => okvqa.Read(new BenchmarkInput { Annotations = path, ScoresOnly = true }));
        Assert.Contains(expected, e.Message);
        Assert.Contains("a.json", e.Message);
    }

    [Fact]
    public void TextVQA_s_own_file_is_read_and_its_questions_have_one_capital()
    {
        folder.Write("train_images/0a1b.jpg", "x");
        var path = folder.Write("TextVQA_0.5.1_val.json", """
            {"dataset_type": "val", "data": [{"question_id": 5, "question": "what Does the sign say?", "image_id": "0a1b", "image_classes": ["Sign"],
              "answers": ["stop", "stop", "halt", "stop", "stop", "stop", "stop", "stop", "stop", "stop"]}]}
            """);
        var item = Assert.Single(new VqaBenchmark(VqaSet.TextVqa).Read(new BenchmarkInput { Data = path }));
        Assert.Equal("5", item.Id);
        Assert.Equal("What does the sign say?\nAnswer the question using a single word or phrase.", ((Text)item.Turns[0].Parts[1]).Value);
        Assert.Equal("stop (9), halt", item.Expected);
    }

    [Fact]
    public void A_table_gives_its_answers_as_a_list_in_text()
    {
        var path = folder.Write("TextVQA_VAL.tsv", "index\tquestion\tanswer\n1\tWhich?\t\"['it''s', \"\"a 'b'\"\", 'c', 'c']\"\n".Replace("it''s", "its"));
        var item = Assert.Single(new VqaBenchmark(VqaSet.TextVqa).Read(new BenchmarkInput { Data = path, ScoresOnly = true }));
        Assert.Equal(["its", "a 'b'", "c", "c"], ((VqaTruth)item.Truth!).Answers);
    }

    [Fact]
    public void The_variant_has_a_name_of_its_own() => Assert.Equal("okvqa-lmms-eval", new VqaBenchmark(VqaSet.OkVqa, VqaRule.LmmsEval).Name);

    private (string Questions, string Annotations) Official(string folderName = ".")
    {
        var answers = string.Join(", ", Enumerable.Range(1, 10).Select(i =>
            $$"""{"answer_id": {{i}}, "answer": "{{(i == 10 ? "train" : "bus")}}", "raw_answer": "b"}"""));
        return (folder.Write(Path.Combine(folderName, "OpenEnded_mscoco_val2014_questions.json"), Questions),
            folder.Write(Path.Combine(folderName, "mscoco_val2014_annotations.json"), Annotations.Replace("ANSWERS", answers)));
    }
}
