namespace Fovea;

/// <summary>
/// A number that says how good answers are. It sees all rows at once, because metrics such as CIDEr are not means over rows. Generating the answers of
/// held-out rows is not part of this version: nothing calls a metric yet.
/// </summary>
/// <param name="rows">Held-out conversations with the model's answers.</param>
/// <returns>The value; larger is better.</returns>
public delegate double Metric(IReadOnlyList<AnsweredRow> rows);
