namespace Fovea.Evaluation.Results;

/// <summary>One item of a result that was read back.</summary>
/// <param name="Answer">The last turn's, with those before it.</param>
internal sealed record SavedSample(string Id, string Question, string Answer, string Expected, double Score);
