namespace Fovea.Generation;

/// <summary>A piece of an answer.</summary>
/// <param name="Sample">Which of the answers to one question.</param>
/// <param name="Text">Whole characters; perhaps none with the end.</param>
/// <param name="Tokens">Those whose text begins in what was given out by now and was not told before, with log probabilities where they are asked for.</param>
/// <param name="Ended">The whole answer, with its last piece.</param>
internal sealed record AnswerPiece(int Sample, string Text, IReadOnlyList<(int Id, TokenLogprob? Logprob)> Tokens, ChatAnswer? Ended);
