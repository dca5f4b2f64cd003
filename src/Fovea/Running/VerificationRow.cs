namespace Fovea.Running;

/// <summary>What became of one row.</summary>
/// <param name="Row">From 1.</param>
/// <param name="Outcome"><c>equal</c>, <c>near_tie</c> (equal up to one), <c>different</c>, or <c>unanswered</c> by either side.</param>
/// <param name="Tokens">How many were compared.</param>
/// <param name="LargestDifference">Of the log probabilities that were compared.</param>
/// <param name="Difference">The first one; null where there is none.</param>
internal sealed record VerificationRow(int Row, string Outcome, int Tokens, double LargestDifference, VerificationDifference? Difference = null)
{
    public const string Equal = "equal";
    public const string NearTie = "near_tie";
    public const string Different = "different";
    public const string Unanswered = "unanswered";
}
