namespace Fovea.Evaluation.Running;

/// <summary>What became of a question.</summary>
/// <param name="Text">Null where there is a problem.</param>
/// <param name="Problem">Why it was not answered: an image that cannot be read, a prompt that is too long.</param>
internal sealed record AnsweredTurn(AskedTurn Asked, string? Text, string? Problem = null);
