using System.Text.Json;
using Fovea.Evaluation;
using Fovea.Evaluation.Vqa;

namespace Fovea.Tests.Evaluation;

/// <summary>VQA accuracy, against the official evaluator and lmms-eval's (tests/goldens/evaluation).</summary>
public sealed class VqaAccuracyTests
{
    private const double Tolerance = 1e-6;

    [Fact]
    public void Texts_are_made_alike_as_by_the_originals()
    {
        using var golden = Golden();
        var texts = golden.RootElement.GetProperty("normalised").EnumerateArray().ToList();
        Assert.True(texts.Count > 300);
        Assert.All(texts, row =>
        {
            var text = row.GetProperty("text").GetString()!;
            Assert.Equal(row.GetProperty("punctuation").GetString(), VqaText.Punctuation(VqaText.Clean(text)));
            Assert.Equal(row.GetProperty("official").GetString(), VqaText.Official(VqaText.Clean(text)));
            Assert.Equal(row.GetProperty("lmms_eval").GetString(), VqaText.LmmsEval(text));
        });
    }

    [Theory]
    [InlineData(VqaRule.Official)]
    [InlineData(VqaRule.LmmsEval)]
    internal void Each_answer_scores_as_by_the_original(VqaRule rule)
    {
        using var golden = Golden();
        Assert.All(golden.RootElement.GetProperty("rows").EnumerateArray(), row =>
        {
            var accuracy = VqaAccuracy.Of(row.GetProperty("prediction").GetString()!, Answers(row), rule, out var read);
            if (rule == VqaRule.LmmsEval)
            {
                Assert.Equal(row.GetProperty("lmms_eval_accuracy").GetDouble(), accuracy, Tolerance);
                return;
            }

            Assert.Equal(row.GetProperty("accuracy").GetDouble(), PythonRound.To(100 * accuracy, 2), Tolerance);
            var isRaw = row.GetProperty("all_equal").GetBoolean();
            Assert.Equal(isRaw ? VqaText.Clean(row.GetProperty("prediction").GetString()!) : row.GetProperty("normalised_prediction").GetString(), read);
        });
    }

    [Fact]
    public void The_totals_are_the_original_s()
    {
        using var golden = Golden();
        var rows = golden.RootElement.GetProperty("rows").EnumerateArray().ToList();
        var items = rows.ConvertAll(row => new BenchmarkItem
        {
            Id = row.GetProperty("question_id").GetRawText(), Turns = [], Question = string.Empty, Expected = string.Empty, Truth = new VqaTruth(Answers(row)),
            Groups = VqaBenchmark.Kinds.ToDictionary(kind => kind, kind => row.GetProperty(kind).GetString()!),
        });
        var score = new VqaBenchmark(VqaSet.OkVqa).Score(items, rows.ConvertAll(row => (IReadOnlyList<string>)[row.GetProperty("prediction").GetString()!]));

        var metric = Assert.Single(score.Metrics);
        Assert.Equal(("accuracy", golden.RootElement.GetProperty("overall").GetDouble()), (metric.Name, metric.Value));
        Assert.Equal(metric.Value, metric.Resample!([.. Enumerable.Range(0, items.Count)]), 0.005);
        Assert.Equal(
            Totals("question_type").Concat(Totals("answer_type")).Order(),
            score.Groups.Select(group => (group.Kind, group.Group, group.Value)).Order());

        IEnumerable<(string, string, double)> Totals(string kind) =>
            golden.RootElement.GetProperty($"per_{kind}").EnumerateObject().Select(group => (kind, group.Name, group.Value.GetDouble()));
    }

    // Of the official program and of lmms-eval's where it differs.
    [Theory]
    [InlineData("A red, white and blue flag.", "red white and blue flag")]
    [InlineData("t-shirt", "t shirt")]
    [InlineData("T - shirt", "t shirt")]
    [InlineData("none", "0")]
    [InlineData("3.5 m.", "3.5 m")]
    [InlineData("it's 10:30", "it's 10:30", "it 's 10:30")]
    [InlineData("dont", "don't")]
    [InlineData("U.S.A.", "usa")]
    [InlineData("a/an", "")]
    [InlineData("Ten, 3", "10 3")]
    [InlineData("100%", "100%")]
    [InlineData("Im", "im")]
    [InlineData("one-way", "1 way")]
    [InlineData("1,000 t-shirts", "1000 tshirts", "1000 t shirts")]
    [InlineData("cat,dog", "cat dog", "catdog")]
    [InlineData("somebody'd", "somebodyd")]
    public void Probes_are_read_as_published(string text, string official, string? lmmsEval = null)
    {
        Assert.Equal(official, VqaText.Official(VqaText.Clean(text)));
        Assert.Equal(lmmsEval ?? official, VqaText.LmmsEval(text));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 0.3)]
    [InlineData(2, 0.6)]
    [InlineData(3, 0.9)]
    [InlineData(4, 1)]
    [InlineData(9, 1)]
    public void So_many_of_ten_people_make_so_much_right(int people, double accuracy) => Assert.Equal(
        accuracy, VqaAccuracy.Of("yes", [.. Enumerable.Repeat("yes", people), .. Enumerable.Repeat("no", 10 - people)], VqaRule.Official, out _), Tolerance);

    [Fact]
    public void Where_all_agree_the_texts_are_compared_as_they_stand() =>
        Assert.Equal((0.0, 1.0), (Of("yes"), Of(" Yes\n")));

    private static double Of(string answer) => VqaAccuracy.Of(answer, [.. Enumerable.Repeat("Yes", 10)], VqaRule.Official, out _);

    private static JsonDocument Golden() => JsonDocument.Parse(File.ReadAllBytes(TestFiles.Golden("evaluation/vqa.json")));

    private static string[] Answers(JsonElement row) => [.. row.GetProperty("answers").EnumerateArray().Select(answer => answer.GetString()!)];
}
