namespace Fovea.Evaluation.Quick;

/// <summary>Texts, one of which an answer must contain, and the kind of reading.</summary>
internal sealed record OcrTruth(IReadOnlyList<string> Answers, string Category);
