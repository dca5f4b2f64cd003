namespace Fovea.Evaluation.Coherence;

/// <summary>One turn of a dialogue.</summary>
/// <param name="Message">What the user says.</param>
/// <param name="Question">What is expected; null where nothing is asked.</param>
internal sealed record CoherenceTurn(Message Message, CoherenceQuestion? Question);
