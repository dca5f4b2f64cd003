using System.Text.Json;
using Fovea.Evaluation;
using Fovea.Evaluation.Texts;

namespace Fovea.Tests.Evaluation;

/// <summary>LLaMA-Factory's scores of predicted texts, against the original program (tests/goldens/evaluation).</summary>
public sealed class TextScoresTests
{
    private const double Tolerance = 1e-6;

    [Fact]
    public void The_original_s_rows_and_means_are_met()
    {
        using var golden = JsonDocument.Parse(File.ReadAllBytes(TestFiles.Golden("evaluation/predict.json")));
        var scores = new List<TextScores>();
        foreach (var row in golden.RootElement.GetProperty("rows").EnumerateArray())
        {
            var (prediction, label) = (row.GetProperty("prediction").GetString()!, row.GetProperty("label").GetString()!);
            Assert.Equal(Words(row, "words_prediction"), ChineseWords.Cut(prediction));
            Assert.Equal(Words(row, "words_label"), ChineseWords.Cut(label));
            scores.Add(TextScores.Of(prediction, label));
            Near(row, scores[^1]);
        }

        Assert.True(scores.Count >= 20);
        var means = golden.RootElement.GetProperty("mean");
        Assert.Equal(TextScores.Names.Select(name => means.GetProperty(name).GetDouble()), TextScores.Mean(scores).Values); // to the last bit
    }

    // numpy.mean of 0.1 i % 0.7 for i from 0 on.
    [Theory]
    [InlineData(0, 0)]
    [InlineData(5, 0.2)]
    [InlineData(8, 0.2625)]
    [InlineData(20, 0.28500000000000014)]
    [InlineData(127, 0.2976377952755912)]
    [InlineData(129, 0.29534883720930305)]
    [InlineData(300, 0.29900000000000176)]
    [InlineData(1001, 0.3000000000000059)]
    public void Means_are_numpy_s_to_the_last_bit(int count, double mean) =>
        Assert.Equal(mean, NumpyMean.Of([.. Enumerable.Range(0, count).Select(i => i * 0.1 % 0.7)]));

    [Theory]
    [InlineData("A man is riding a wave.", "A man riding a wave on a surfboard.", 80.0, 42.8571, 75.0, 47.7032)]
    [InlineData("他们是拜仁慕尼黑的凯恩和格雷茨卡。", "他们是来自拜仁慕尼黑足球俱乐部的哈里·凯恩和莱昂·格雷茨卡。", 72.0, 33.3333, 69.2308, 27.0639)]
    [InlineData("yes", "no", 0, 0, 0, 0)]
    [InlineData("no", "no", 100, 0, 100, 59.4604)]
    [InlineData("yes", "yes", 100, 0, 100, 84.0896)]
    [InlineData("", "x", 0, 0, 0, 0)]
    [InlineData("abc", "abc def", 66.6667, 0, 66.6667, 22.1658)]
    [InlineData("It is 3.5 km. Really? Yes!", "It is 3.5 km long.", 66.6667, 46.1538, 66.6667, 45.1044)]
    public void Published_pairs_are_met(string prediction, string label, double rouge1, double rouge2, double rougeL, double bleu4) =>
        Assert.Equal(new TextScores(rouge1, rouge2, rougeL, bleu4), TextScores.Of(prediction, label));

    // As jieba 0.42.1 splits them.
    [Theory]
    [InlineData("他们是拜仁慕尼黑的凯恩和格雷茨卡。", "他们/是/拜仁/慕尼黑/的/凯恩/和/格雷茨/卡/。")]
    [InlineData("v1.2b 3.5 50% 3.5.7 1,000 km.", "v1.2/b/ /3.5/ /50%/ /3.5/./7/ /1/,/000/ /km/.")]
    [InlineData("state-of foo_bar it's é", "state/-/of/ /foo/_/bar/ /it/'/s/ /é")]
    [InlineData("AT&T c++ c# T恤", "AT&T/ /c++/ /c#/ /T恤")]
    [InlineData("a😀b", "a/😀/b")]
    public void Words_are_jieba_s(string text, string words) => Assert.Equal(words, string.Join('/', ChineseWords.Cut(text)));

    [Fact]
    public void An_empty_line_after_a_sentence_counts_as_a_word() =>
        Assert.Equal(["好", "。", "", "我"], WordOverlap.Words(string.Join(' ', ChineseWords.Cut("好。\n我"))));

    private static string[] Words(JsonElement row, string key) => [.. row.GetProperty(key).EnumerateArray().Select(word => word.GetString()!)];

    private static void Near(JsonElement expected, TextScores actual)
    {
        for (var i = 0; i < TextScores.Names.Count; i++)
        {
            Assert.Equal(expected.GetProperty(TextScores.Names[i]).GetDouble(), actual.Values[i], Tolerance);
        }
    }
}
