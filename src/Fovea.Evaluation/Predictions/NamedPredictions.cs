using System.Text.Json;

namespace Fovea.Evaluation.Predictions;

/// <summary>Rows of an id and an answer, with the names that a benchmark gives these two.</summary>
internal sealed class NamedPredictions(string fileName, string id, string answer) : PredictionForm
{
    /// <summary>The official form of VQA's results.</summary>
    public static NamedPredictions Vqa { get; } = new("predictions.json", "question_id", "answer");

    /// <summary>The official form of COCO's captions.</summary>
    public static NamedPredictions Captions { get; } = new("predictions.json", "image_id", "caption");

    /// <summary>For benchmarks without an official form.</summary>
    public static NamedPredictions Plain { get; } = new("predictions.jsonl", "id", "answer");

    public override string FileName => fileName;

    public override string Fields => $"{{\"{id}\", \"{answer}\"}}";

    protected override string Row(BenchmarkItem item, IReadOnlyList<string> answers) => answers is [var only]
        ? $"{{\"{id}\": {Id(item.Id)}, \"{answer}\": {JsonSerializer.Serialize(only, Json)}}}"
        : $"{{\"{id}\": {Id(item.Id)}, \"{answer}s\": {JsonSerializer.Serialize(answers, Json)}}}";

    protected override Prediction? Row(JsonElement row)
    {
        if (Scalar(row, id) is not { } key)
        {
            return null;
        }

        return Scalar(row, answer) is { } one ? new Prediction(key, [one])
            : row.TryGetProperty($"{answer}s", out var all) && all.ValueKind == JsonValueKind.Array
                ? new Prediction(key, [.. all.EnumerateArray().Select(a => a.ValueKind == JsonValueKind.String ? a.GetString()! : a.GetRawText())])
                : null;
    }
}
