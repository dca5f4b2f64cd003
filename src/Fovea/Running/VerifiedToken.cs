namespace Fovea.Running;

/// <summary>A token of an answer that is compared.</summary>
/// <param name="Text">As text.</param>
/// <param name="Id">Null where a server gave it.</param>
/// <param name="Logprob">Null where it is not known.</param>
/// <param name="Gap">Difference of the two largest log probabilities of its place; null where it is not known.</param>
internal sealed record VerifiedToken(string Text, int? Id, double? Logprob, double? Gap);
