using System.Text.Json;

namespace Fovea.Tests.Unit.Cli;

/// <summary>A model asked about pictures as COCO's archives unpack, in miniature: the answers in official form, their scores, and the report.</summary>
public sealed class EvaluatePicturesTests : IDisposable
{
    private const string Type = "Plants and Animals";
    private static readonly string[] Pictures = ["exif1.jpg", "exif3.jpg", "exif6.jpg"];
    private static readonly int[] Ids = [42, 73, 123456];
    private static readonly string Model = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private readonly TempFolder folder = new();

    public EvaluatePicturesTests()
    {
        Directory.CreateDirectory(folder["coco/val2014"]);
        foreach (var (name, id) in Pictures.Zip(Ids))
        {
            File.Copy(TestFiles.Golden($"images/decode/{name}"), folder[$"coco/val2014/COCO_val2014_{id:D12}.jpg"]);
        }
    }

    [Fact]
    public void Visual_questions()
    {
        folder.Write("coco/annotations/OpenEnded_mscoco_val2014_questions.json", JsonSerializer.Serialize(new
        {
            info = new { version = "1.0" }, task_type = "Open-Ended", data_type = "mscoco", data_subtype = "val2014",
            questions = Ids.Select(id => new { image_id = id, question = "What is shown here?", question_id = id * 10 }),
        }));
        Annotate(Ids.ToDictionary(id => id, _ => Enumerable.Repeat("nobody says so", 10).ToArray()));
        var first = Evaluate("okvqa", "first");
        Assert.Equal(0, first.GetProperty("metrics").GetProperty("accuracy").GetDouble());
        var answers = Predictions("first", "question_id", "answer");
        Assert.Equal(Ids.Select(id => id * 10), answers.Keys);
        Assert.All(answers.Values, answer => Assert.NotEmpty(answer));

        // All people say what the model says of the first picture, two of the ten of the second, nobody of the third.
        Annotate(Ids.Zip([10, 2, 0]).ToDictionary(
            pair => pair.First,
            pair => Enumerable.Range(0, 10).Select(i => i < pair.Second ? answers[pair.First * 10].Trim() : $"nobody says {i}").ToArray()));
        var second = Evaluate("okvqa", "second");
        Assert.Equal(53.33, second.GetProperty("metrics").GetProperty("accuracy").GetDouble());
        Assert.Equal([1, 0.6, 0], second.GetProperty("samples").EnumerateArray().Select(sample => Math.Round(sample.GetProperty("score").GetDouble(), 9)));
        Assert.Contains(second.GetProperty("groups").EnumerateArray(), group => group.GetProperty("group").GetString() == Type);
        Assert.Equal(answers, Predictions("second", "question_id", "answer"));

        var report = File.ReadAllText(folder["second/report.html"]);
        Assert.Equal(Ids.Length, report.Split("data:image/").Length - 1);
        Assert.Contains(Type, report, StringComparison.Ordinal);
        Assert.DoesNotContain(">read as ", report, StringComparison.Ordinal);

        var (code, told) = Run("okvqa", "--data", folder["coco"], "--predictions", folder["second/predictions.json"]);
        Assert.True(code == 0, told);
        Assert.Contains("53.33", told, StringComparison.Ordinal);
        (code, told) = Run("--compare", folder["first"], folder["second"]);
        Assert.True(code == 0, told);
        Assert.Contains("0 of 3 answers changed", told, StringComparison.Ordinal);
    }

    [Fact]
    public void Captions()
    {
        Caption(Ids.ToDictionary(id => id, _ => "Nothing of the kind"));
        var first = Evaluate("coco-caption", "first", "--max-new-tokens", "12");
        Assert.Equal(["Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr"], first.GetProperty("metrics").EnumerateObject().Select(m => m.Name));
        var captions = Predictions("first", "image_id", "caption");
        Assert.Equal(Ids, captions.Keys);

        Caption(captions);
        var second = Evaluate("coco-caption", "second", "--max-new-tokens", "12");
        Assert.Equal(1, second.GetProperty("metrics").GetProperty("Bleu_1").GetDouble(), 6);
        Assert.Equal(1, second.GetProperty("metrics").GetProperty("ROUGE_L").GetDouble(), 6);

        var (code, told) = Run("coco-caption", "--data", folder["coco/annotations/captions_val2014.json"], "--model", Model, "--cpu", "--limit", "1");
        Assert.True(code == 0, told);
        Assert.Contains("not comparable with published numbers", told, StringComparison.Ordinal);
    }

    public void Dispose() => folder.Dispose();

    private static (int Code, string Told) Run(params string[] words)
    {
        var (code, output, errors) = FoveaProcess.Run(["evaluate", .. words]);
        return (code, output + errors);
    }

    private JsonElement Evaluate(string benchmark, string name, params string[] more)
    {
        var (code, told) = Run([benchmark, "--data", folder["coco"], "--model", Model, "--cpu", "--output", folder[name], .. more]);
        Assert.True(code == 0, told);
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder[name], "results.json")));
        return json.RootElement.Clone();
    }

    private Dictionary<int, string> Predictions(string name, string id, string text)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder[name], "predictions.json")));
        return json.RootElement.EnumerateArray().ToDictionary(row => row.GetProperty(id).GetInt32(), row => row.GetProperty(text).GetString()!);
    }

    private void Annotate(Dictionary<int, string[]> said) => folder.Write("coco/annotations/mscoco_val2014_annotations.json", JsonSerializer.Serialize(new
    {
        info = new { version = "1.0" }, data_type = "mscoco", data_subtype = "val2014", question_types = new { eight = Type },
        annotations = said.Select(image => new
        {
            image_id = image.Key, question_id = image.Key * 10, question_type = "eight", answer_type = "other", confidence = 3,
            answers = image.Value.Select((answer, i) => new { answer_id = i + 1, raw_answer = answer, answer, answer_confidence = "yes" }),
        }),
    }));

    private void Caption(Dictionary<int, string> said) => folder.Write("coco/annotations/captions_val2014.json", JsonSerializer.Serialize(new
    {
        info = new { year = 2014 },
        images = Ids.Select(id => new { license = 1, id, file_name = $"COCO_val2014_{id:D12}.jpg", height = 1, width = 1 }),
        annotations = said.SelectMany(image => new[] { image.Value, $"{image.Value} and more" }.Select((caption, i) => new
        {
            image_id = image.Key, id = (image.Key * 10) + i, caption,
        })),
    }));
}
