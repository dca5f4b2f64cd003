namespace Fovea.Training.Answers;

/// <summary>What became of a held-out row.</summary>
/// <param name="Row">Its number, from 0.</param>
/// <param name="Text">The answer as it is written; null where there is none.</param>
/// <param name="Problem">Why there is none.</param>
internal sealed record RowAnswer(int Row, string? Text, string? Problem = null)
{
    /// <summary>Wall time that it took its process, from the answer before.</summary>
    public double Seconds { get; init; }
}
