namespace Fovea;

/// <summary>What became of one conversation among many.</summary>
/// <param name="Index">Its place among those that were given, from 0.</param>
/// <param name="Answers">The answers, one unless more were asked for; empty if there is a problem.</param>
/// <param name="Problem">Why there is no answer, for instance an image that cannot be read; null if there is one.</param>
public sealed record AnswerOutcome(int Index, IReadOnlyList<ChatAnswer> Answers, FoveaException? Problem = null)
{
    /// <summary>The first answer.</summary>
    /// <exception cref="FoveaException">There is none; this is <see cref="Problem"/>.</exception>
    public ChatAnswer Answer => Problem is null ? Answers[0] : throw Problem;
}
