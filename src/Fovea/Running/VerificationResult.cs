namespace Fovea.Running;

/// <summary>How the answers of two sides compare.</summary>
/// <param name="A">What one side is, in words.</param>
/// <param name="B">What the other is.</param>
/// <param name="Rule">How they were compared, in a sentence.</param>
/// <param name="Rows">What became of each row.</param>
internal sealed record VerificationResult(string A, string B, string Rule, IReadOnlyList<VerificationRow> Rows)
{
    public int Equal => Count(VerificationRow.Equal);

    public int NearTies => Count(VerificationRow.NearTie);

    public int Different => Count(VerificationRow.Different);

    public int Unanswered => Count(VerificationRow.Unanswered);

    public int Tokens => Rows.Sum(row => row.Tokens);

    public double LargestDifference => Rows.Select(row => row.LargestDifference).DefaultIfEmpty().Max();

    private int Count(string outcome) => Rows.Count(row => row.Outcome == outcome);
}
