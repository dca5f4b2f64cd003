using System.Text.Json;
using Fovea.Evaluation;
using Fovea.Evaluation.Captions;

namespace Fovea.Tests.Evaluation;

/// <summary>Scores of captions, against pycocoevalcap (tests/goldens/evaluation).</summary>
public sealed class CaptionScoresTests
{
    private const double Tolerance = 1e-6;

    [Fact]
    public void All_scores_are_the_original_s()
    {
        using var golden = JsonDocument.Parse(File.ReadAllBytes(TestFiles.Golden("evaluation/captions.json")));
        var images = golden.RootElement.GetProperty("images").EnumerateArray().ToList();
        var items = images.ConvertAll(image => Item(image.GetProperty("image_id").GetRawText(), Texts(image, "references")));
        var answers = images.ConvertAll(image => (IReadOnlyList<string>)[image.GetProperty("candidate").GetString()!]);
        var score = new CocoCaptionBenchmark().Score(items, answers);

        Assert.Equal(["Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr"], score.Metrics.Select(metric => metric.Name));
        Assert.All(score.Metrics, metric =>
        {
            Assert.Equal(golden.RootElement.GetProperty(metric.Name).GetDouble(), metric.Value, Tolerance);
            Assert.Equal(metric.Value, metric.Resample!([.. Enumerable.Range(0, items.Count)]), 1e-12);
        });
    }

    [Fact]
    public void Each_image_scores_as_by_the_original()
    {
        using var golden = JsonDocument.Parse(File.ReadAllBytes(TestFiles.Golden("evaluation/captions.json")));
        var images = golden.RootElement.GetProperty("images").EnumerateArray().ToList();
        var scores = new CaptionScores(
            images.ConvertAll(image => image.GetProperty("tokenised_candidate").GetString()!),
            images.ConvertAll(image => Texts(image, "tokenised_references")));
        for (var i = 0; i < images.Count; i++)
        {
            Assert.Equal(images[i].GetProperty("ROUGE_L").GetDouble(), scores.RougeL[i], Tolerance);
            Assert.Equal(images[i].GetProperty("CIDEr").GetDouble(), scores.Cider[i], Tolerance);
            Assert.All(
                images[i].GetProperty("Bleu").EnumerateArray().Zip(scores.Bleu([i])), pair => Assert.Equal(pair.First.GetDouble(), pair.Second, Tolerance));
        }
    }

    [Fact]
    public void The_published_small_set_scores_as_published()
    {
        string[][] references =
        [
            ["A man riding a wave on top of a surfboard.", "A surfer rides a large wave.", "a man on a surfboard riding a wave in the ocean"],
            ["Two dogs' bowls are on the floor.", "There are 2 bowls (blue) on a kitchen floor!!", "Dog bowls sit on the tile floor"],
            ["A stop sign that reads \"STOP\" at 1 1/2 Main St.", "The red stop sign", "A sign"],
            ["An old T.V. on a stand", "A tv is on", "Television, on a wooden stand."],
            ["A cat", "A black cat sleeping", "cat on bed"],
        ];
        string[] captions =
            ["A man is riding a wave on a surfboard", "Two bowls on the floor", "A red stop sign reads \"STOP\" at 1 1/2 main street", "TV.", ""];
        var score = new CocoCaptionBenchmark().Score(
            [.. references.Select((some, i) => Item($"{i}", some))], [.. captions.Select(caption => (IReadOnlyList<string>)[caption])]);

        double[] expected = [0.6785921358785864, 0.583208929181197, 0.4910993832969944, 0.3841092588919524, 0.5822433088830887, 1.5208270146918546];
        Assert.All(expected.Zip(score.Metrics), pair => Assert.Equal(pair.First, pair.Second.Value, 1e-12));
    }

    [Fact]
    public void One_image_alone_has_no_CIDEr() => Assert.Equal(0, new CaptionScores(["a cat"], [["a cat"]]).Cider[0]);

    private static BenchmarkItem Item(string id, string[] references) =>
        new() { Id = id, Turns = [], Question = string.Empty, Expected = string.Empty, Truth = new CaptionTruth(references) };

    private static string[] Texts(JsonElement image, string key) => [.. image.GetProperty(key).EnumerateArray().Select(text => text.GetString()!)];
}
