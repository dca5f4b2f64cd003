using System.Text.Json;

namespace Fovea.Evaluation.Texts;

/// <summary>LLaMA-Factory's <c>generated_predictions.jsonl</c>: prompt, prediction and label in each line.</summary>
internal static class TextPredictions
{
    private const string Hint = "it is LLaMA-Factory's generated_predictions.jsonl, with predict and label in each line";

    /// <exception cref="ConfigException">The file cannot be read, a line is malformed, or there is none.</exception>
    public static IReadOnlyList<(string Prompt, string Prediction, string Label)> Read(string path)
    {
        var rows = JsonLines.Read(path, Hint).Select(row => row.Row.ValueKind != JsonValueKind.Object
            ? throw new ConfigException($"{row.Place} must be an object, not {JsonText.Kind(row.Row)}; {Hint}")
            : (OfficialJson.TextOrNull(row.Row, "prompt") ?? string.Empty, OfficialJson.Text(row.Row, "predict", row.Place),
                OfficialJson.Text(row.Row, "label", row.Place))).ToList();
        return rows.Count > 0 ? rows : throw new ConfigException($"{path} is empty; {Hint}");
    }

    /// <summary>The means under the names of <c>predict_results.json</c>, in per cent, not rounded, as there; an item's score is its ROUGE-L.</summary>
    public static BenchmarkScore Score(IReadOnlyList<(string Prompt, string Prediction, string Label)> rows)
    {
        var scores = rows.Select(row => TextScores.Of(row.Prediction, row.Label)).ToArray();
        var means = TextScores.Mean(scores).Values;
        return new BenchmarkScore
        {
            Metrics =
            [
                .. TextScores.Names.Select((name, n) => 
                    Means.Of($"predict_{name}", Array.ConvertAll(scores, score => score.Values[n])) with { Value = means[n] }),
            ],
            Items = [.. scores.Select(score => new ItemScore(score.RougeL / 100))],
        };
    }
}
