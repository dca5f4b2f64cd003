using System.Text.Json;

namespace Fovea.Evaluation.Predictions;

/// <summary>LLaMA-Factory's <c>generated_predictions.jsonl</c>: each line is an item and its answer.</summary>
internal sealed class LabelledPredictions : PredictionForm
{
    public override string FileName => "generated_predictions.jsonl";

    public override string Fields => "{\"prompt\", \"predict\", \"label\"}";

    public override (IReadOnlyList<BenchmarkItem> Items, IReadOnlyList<IReadOnlyList<string>> Answers) Match(
        IReadOnlyList<BenchmarkItem> items, string path, bool allowMissing) =>
        (items, [.. Read(path).Take(items.Count).Select(prediction => prediction.Answers)]);

    protected override string Row(BenchmarkItem item, IReadOnlyList<string> answers) => $"{{\"prompt\": {JsonSerializer.Serialize(item.Question, Json)}, "
        + $"\"predict\": {JsonSerializer.Serialize(answers[0], Json)}, \"label\": {JsonSerializer.Serialize(item.Expected, Json)}}}";

    protected override Prediction? Row(JsonElement row) => Scalar(row, "predict") is { } answer ? new Prediction(string.Empty, [answer]) : null;
}
