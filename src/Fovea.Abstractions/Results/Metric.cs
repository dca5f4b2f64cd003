namespace Fovea;

/// <summary>
/// A number that says how good answers are. It sees all rows at once, because metrics such as CIDEr are not means over rows.
/// <c>VisionModel.EvaluateAsync</c> generates the answers.
/// </summary>
/// <param name="rows">Held-out conversations with the model's answers.</param>
/// <returns>The value; larger is better.</returns>
public delegate double Metric(IReadOnlyList<AnsweredRow> rows);
