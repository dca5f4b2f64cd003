namespace Fovea.Evaluation.Predictions;

/// <summary>An answer that was made elsewhere.</summary>
/// <param name="Key">What its file knows the item by.</param>
/// <param name="Answers">One for each turn.</param>
internal sealed record Prediction(string Key, IReadOnlyList<string> Answers);
