namespace Fovea;

/// <summary>Answers to held-out conversations, and how good they are.</summary>
/// <param name="Rows">The conversations with the model's answers, in the order in which they were given.</param>
/// <param name="Values">The value of each metric by its name.</param>
public sealed record AnswerScores(IReadOnlyList<AnsweredRow> Rows, IReadOnlyDictionary<string, double> Values);
