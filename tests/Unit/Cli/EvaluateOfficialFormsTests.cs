using System.CommandLine;
using System.Text.Json;
using Fovea.Cli;

namespace Fovea.Tests.Unit.Cli;

/// <summary>Answers made elsewhere in official forms, of miniatures drawn here: <c>--json</c> has the published metrics under their names.</summary>
public sealed class EvaluateOfficialFormsTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Visual_questions()
    {
        var questions = folder.Write("q.json", """
            {"info": {}, "task_type": "Open-Ended", "data_subtype": "val2014", "questions": [
              {"image_id": 1, "question": "What is it?", "question_id": 11}, {"image_id": 1, "question": "How many?", "question_id": 12},
              {"image_id": 2, "question": "Why?", "question_id": 23}]}
            """);
        var annotations = folder.Write("a.json", $$"""
            {"info": {}, "data_subtype": "val2014", "annotations": [
              {{Annotation(1, 11, "a cat", "a cat", "a cat", "dog")}}, {{Annotation(1, 12, "two", "2")}}, {{Annotation(2, 23, "rain")}}]}
            """);
        string[] words = ["okvqa", "--questions", questions, "--annotations", annotations, "--predictions"];
        var given = folder.Write("r.json", """
            [{"question_id": 12, "answer": "Two."}, {"question_id": 11, "answer": "The dog!"}, {"question_id": 23, "answer": "snow"}]
            """);
        var metrics = Metrics([.. words, given]);

        // 12: everybody says two; 11: "dog" is said by 2 of 10 (0.6); 23: nobody.
        Assert.Equal(("accuracy", 53.33), Assert.Single(metrics));
        var short1 = folder.Write("short.json", """[{"question_id": 12, "answer": "2"}, {"question_id": 99, "answer": "2"}]""");
        var (code, _, errors) = FoveaProcess.Run(["evaluate", .. words, short1]);
        Assert.Equal(2, code);
        Assert.Contains("99", errors, StringComparison.Ordinal);
        Assert.Contains("2 with no answer: 11, 23", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Captions()
    {
        var annotations = folder.Write("captions.json", """
            {"images": [{"id": 7, "file_name": "7.jpg"}, {"id": 5, "file_name": "5.jpg"}], "annotations": [
              {"image_id": 5, "id": 1, "caption": "A dog runs on the green grass."}, {"image_id": 7, "id": 2, "caption": "A man rides a wave."},
              {"image_id": 7, "id": 3, "caption": "A surfer on a large wave in the sea."}]}
            """);
        var given = folder.Write("r.json", """
            [{"image_id": 5, "caption": "A dog runs on the green grass"}, {"image_id": 7, "caption": "A man rides a wave"}]
            """);
        var metrics = Metrics("coco-caption", "--annotations", annotations, "--predictions", given);
        Assert.Equal(["Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr"], metrics.Select(metric => metric.Name));
        Assert.All(metrics.Take(5), metric => Assert.InRange(metric.Value, 0.99, 1));
    }

    [Fact]
    public void Texts()
    {
        var given = folder.Write("generated_predictions.jsonl", """
            {"prompt": "q", "predict": "no", "label": "no"}
            {"prompt": "q", "predict": "yes", "label": "no"}
            """);
        var metrics = Metrics("text", "--predictions", given);
        Assert.Equal(["predict_bleu-4", "predict_rouge-1", "predict_rouge-2", "predict_rouge-l"], metrics.Select(metric => metric.Name).Order());
        Assert.Equal(50, metrics.Single(metric => metric.Name == "predict_rouge-1").Value, 6);
        Assert.Equal(2, FoveaProcess.Run("evaluate", "text", "--model", "none").Code);
    }

    [Fact]
    public void Instructions()
    {
        var data = folder.Write("input.jsonl", """
            {"key": 1, "prompt": "Answer without commas.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
            {"key": 2, "prompt": "Again without commas.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
            """);
        var given = folder.Write("responses.jsonl", """
            {"prompt": "Again without commas.", "response": "no"}
            {"prompt": "Answer without commas.", "response": "well, no"}
            """);
        var metrics = Metrics("ifeval", "--data", data, "--predictions", given);
        string[] names = ["inst_level_loose_acc", "inst_level_strict_acc", "prompt_level_loose_acc", "prompt_level_strict_acc"];
        Assert.Equal(names, metrics.Select(metric => metric.Name).Order());
        Assert.All(metrics, metric => Assert.Equal(0.5, metric.Value));
    }

    private static string Annotation(int image, int id, params string[] answers)
    {
        var ten = Enumerable.Range(0, 10).Select(i => answers[i % answers.Length]);
        var list = string.Join(", ", ten.Select((answer, i) => $"{{\"answer_id\": {i + 1}, \"answer\": \"{answer}\", \"answer_confidence\": \"yes\"}}"));
        return $"{{\"image_id\": {image}, \"question_id\": {id}, \"question_type\": \"one\", \"answer_type\": \"other\", \"answers\": [{list}]}}";
    }

    private List<(string Name, double Value)> Metrics(params string[] words)
    {
        using var output = new StringWriter();
        var code = Program.Root().Parse(["evaluate", .. words, "--json", folder["out.json"]])
            .Invoke(new InvocationConfiguration { Output = output, Error = output, EnableDefaultExceptionHandler = false });
        Assert.True(code == 0, output.ToString());
        using var json = JsonDocument.Parse(File.ReadAllText(folder["out.json"]));
        Assert.NotEqual(0, json.RootElement.GetProperty("samples").GetArrayLength());
        return [.. json.RootElement.GetProperty("metrics").EnumerateObject().Select(metric => (metric.Name, metric.Value.GetDouble()))];
    }
}
