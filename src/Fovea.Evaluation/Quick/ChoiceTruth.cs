namespace Fovea.Evaluation.Quick;

/// <summary>The options of a question and the letter of the right one.</summary>
/// <param name="Group">Of the rotations of one question; null where each question stands alone.</param>
/// <param name="IsMain">Whether it is the question that the others rotate.</param>
internal sealed record ChoiceTruth(IReadOnlyList<Choice> Choices, string Letter, string? Group = null, bool IsMain = true);
