using Fovea.Evaluation;
using Fovea.Evaluation.Running;

namespace Fovea.Tests.Unit.Evaluation;

/// <summary>What is asked of a benchmark's files.</summary>
public sealed class QuestionSetTests : IDisposable
{
    private static readonly byte[] Png = File.ReadAllBytes(TestFiles.Golden("qwen2_5_vl_tiny/data/images/001_0.png"));
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    /// <summary>Of two items, the first item's image is there and the second's is not.</summary>
    [Theory]
    [InlineData("okvqa", "q_questions.json", "val2014/COCO_val2014_000000000001.jpg", "val2014/COCO_val2014_000000000002.jpg")]
    [InlineData("coco-caption", "captions.json", "1.jpg", "2.jpg")]
    [InlineData("coco-caption", "unnamed.json", "COCO_val2014_000000000001.jpg", "COCO_val2014_000000000002.jpg")]
    [InlineData("textvqa", "TextVQA_0.5.1_val.json", "train_images/a.jpg", "train_images/b.jpg")]
    [InlineData("chartqa", "table.tsv", "1.jpg", "2.jpg")]
    [InlineData("refcoco", "boxes.jsonl", "1.jpg", "2.jpg")]
    [InlineData("custom", "table.tsv", "1.jpg", "2.jpg")]
    [InlineData("custom", "fields.jsonl", "1.jpg", "2.jpg")]
    [InlineData("custom", "rows.jsonl", "1.jpg", "2.jpg")]
    public void Only_images_of_items_that_are_asked_must_be_there(string name, string file, string first, string second)
    {
        Files();
        folder.Write(first, Png);
        var entry = name == "custom" ? Benchmarks.Find(name, "exact") : Benchmarks.Find(name);
        var input = name switch
        {
            "okvqa" => new BenchmarkInput { Questions = folder[file], Annotations = folder["annotations.json"] },
            "coco-caption" => new BenchmarkInput { Annotations = folder[file] },
            _ => new BenchmarkInput { Data = folder[file] },
        };
        var request = new EvaluationRequest { Entry = entry, Input = input };
        Assert.Contains(Path.GetFileName(second), Assert.Throws<ConfigException>(() => QuestionSet.Read(request)).Message, StringComparison.Ordinal);
        Assert.Throws<ConfigException>(() => QuestionSet.Read(request with { Limit = 2 }));
        var some = QuestionSet.Read(request with { Limit = 1 });
        Assert.Equal((1, 2), (some.Items.Count, some.All.Count));
        Assert.Equal(folder[first], Assert.Single(some.Items[0].Turns[0].Parts.OfType<Image>()).Source.Path);

        // Once it is there, the answers so far are to the same questions.
        folder.Write(second, Png);
        Assert.Equal(QuestionPrint.Of(QuestionSet.Read(request).All), QuestionPrint.Of(some.All));
        File.Delete(folder[first]);
        Assert.Throws<ConfigException>(() => QuestionSet.Read(request with { Limit = 1 }));
    }

    private void Files()
    {
        folder.Write("q_questions.json", """
            {"data_subtype": "val2014", "questions": [{"image_id": 1, "question_id": 10, "question": "a?"},
              {"image_id": 2, "question_id": 20, "question": "b?"}]}
            """);
        folder.Write("annotations.json", """
            {"annotations": [{"image_id": 1, "question_id": 10, "answers": ["x", "x"]}, {"image_id": 2, "question_id": 20, "answers": ["x", "x"]}]}
            """);
        folder.Write("captions.json", """
            {"images": [{"id": 1, "file_name": "1.jpg"}, {"id": 2, "file_name": "2.jpg"}], "annotations": [
              {"image_id": 1, "id": 1, "caption": "A dog."}, {"image_id": 2, "id": 2, "caption": "A cat."}]}
            """);
        folder.Write("unnamed.json", """
            {"annotations": [{"image_id": 1, "id": 1, "caption": "A dog."}, {"image_id": 2, "id": 2, "caption": "A cat."}]}
            """);
        folder.Write("TextVQA_0.5.1_val.json", """
            {"data": [{"question_id": 1, "question": "a?", "image_id": "a", "answers": ["x", "x"]},
              {"question_id": 2, "question": "b?", "image_id": "b", "answers": ["x", "x"]}]}
            """);
        folder.Write("table.tsv", "index\timage_path\tquestion\tanswer\n1\t1.jpg\ta?\tx\n2\t2.jpg\tb?\tx\n");
        folder.Write("boxes.jsonl", """
            {"index": 1, "image_path": "1.jpg", "sent": "the dog", "bbox": [1, 2, 3, 4]}
            {"index": 2, "image_path": "2.jpg", "sent": "the cat", "bbox": [1, 2, 3, 4]}

            """);
        folder.Write("fields.jsonl", """
            {"question": "a?", "image": "1.jpg", "answer": "x"}
            {"question": "b?", "image": "2.jpg", "answer": "x"}

            """);
        folder.Write("rows.jsonl", """
            {"messages": [{"role": "user", "content": "<image>a?"}, {"role": "assistant", "content": "x"}], "images": ["1.jpg"]}
            {"messages": [{"role": "user", "content": "<image>b?"}, {"role": "assistant", "content": "x"}], "images": ["2.jpg"]}

            """);
    }
}
