using System.Text.Json;
using Fovea.Evaluation.IfEval;

namespace Fovea.Evaluation.Predictions;

/// <summary>IFEval's form: JSON lines of <c>prompt</c> and <c>response</c>; a response belongs to the item with its prompt.</summary>
internal sealed class PromptPredictions : PredictionForm
{
    public override string FileName => "predictions.jsonl";

    public override string Fields => "{\"prompt\", \"response\"}";

    public override string KeyOf(BenchmarkItem item) => item.Question;

    /// <summary>Prompts that the data has several times take their responses in order.</summary>
    public override (IReadOnlyList<BenchmarkItem> Items, IReadOnlyList<IReadOnlyList<string>> Answers) Match(
        IReadOnlyList<BenchmarkItem> items, string path, bool allowMissing) => IfEvalResponses.Read(path, items, allowMissing);

    protected override string Row(BenchmarkItem item, IReadOnlyList<string> answers) =>
        $"{{\"prompt\": {JsonSerializer.Serialize(item.Question, Json)}, \"response\": {JsonSerializer.Serialize(answers[0], Json)}}}";

    protected override Prediction? Row(JsonElement row) =>
        Scalar(row, "prompt") is { } prompt && Scalar(row, "response") is { } response ? new Prediction(prompt, [response]) : null;
}
