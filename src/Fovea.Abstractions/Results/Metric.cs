namespace Fovea;

/// <summary>
/// A number that says how good answers are. It sees all rows at once, because metrics such as CIDEr are not means over rows. A fine-tuning run calls it on
/// rank 0, on the thread that trains; <c>VisionModel.EvaluateAsync</c> for answers of a model.
/// </summary>
/// <param name="rows">Held-out conversations with the model's answers.</param>
/// <returns>The value; larger is better unless its name ends in <c>loss</c>.</returns>
public delegate double Metric(IReadOnlyList<AnsweredRow> rows);
