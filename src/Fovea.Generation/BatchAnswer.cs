namespace Fovea.Generation;

/// <summary>What became of one question among many.</summary>
/// <param name="Answers">As many as were asked for (<c>n</c>); none where there is a problem.</param>
/// <param name="Problem">Why there is no answer: an image that cannot be read, a prompt that is too long.</param>
internal sealed record BatchAnswer(AnswerRequest Request, IReadOnlyList<ChatAnswer> Answers, FoveaException? Problem = null);
