namespace Fovea.Evaluation.Coherence;

/// <summary>What is expected of the answer to one turn.</summary>
/// <param name="Kind">What it tests: <c>fact</c>, <c>changed fact</c>, <c>earlier picture</c>, <c>picture</c>, <c>general</c>.</param>
/// <param name="Expected">One of the candidates.</param>
/// <param name="Candidates">What could be answered: names, colours; numbers where there are none.</param>
/// <param name="Same">Equal for questions that must be answered alike, however often they are asked.</param>
internal sealed record CoherenceQuestion(string Kind, string Expected, IReadOnlyList<string> Candidates, string Same);
