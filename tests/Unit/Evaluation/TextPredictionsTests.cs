using Fovea.Evaluation.Texts;

namespace Fovea.Tests.Evaluation;

public sealed class TextPredictionsTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void LLaMA_Factory_s_file_is_scored_under_its_names()
    {
        var path = folder.Write("generated_predictions.jsonl", """
            {"prompt": "p", "predict": "no", "label": "no"}
            {"prompt": "p", "predict": "yes", "label": "no"}

            """);
        var score = TextPredictions.Score(TextPredictions.Read(path));
        Assert.Equal(["predict_rouge-1", "predict_rouge-2", "predict_rouge-l", "predict_bleu-4"], score.Metrics.Select(metric => metric.Name));
        Assert.Equal([50, 0, 50, 59.4604 / 2], score.Metrics.Select(metric => metric.Value));
        Assert.Equal([1, 0], score.Items.Select(item => item.Score));
        Assert.Equal(59.4604, score.Metrics[3].Resample!([0, 0]));
    }

    [Theory]
    [InlineData("""{"prompt": "p", "predict": "no"}""", "row 1 has no label")]
    [InlineData("""[3]""", "row 1 must be an object")]
    [InlineData("\n", "is empty")]
    public void A_bad_file_is_said_with_its_place(string text, string expected)
    {
        var path = folder.Write("a.jsonl", text);
        Assert.Contains(expected, Assert.Throws<ConfigException>(() => TextPredictions.Read(path)).Message);
    }
}
