namespace Fovea;

/// <summary>Ready-made metrics of answers.</summary>
public static class Metrics
{
    /// <summary>Fraction of the answers that equal the expected ones but for white space around them, 0 to 1.</summary>
    /// <param name="rows">Held-out conversations with the model's answers; 0 without any.</param>
    public static double ExactMatch(IReadOnlyList<AnsweredRow> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        return rows.Count == 0 ? 0 : (double)rows.Count(IsRight) / rows.Count;
    }

    private static bool IsRight(AnsweredRow row) => row.Answer.Trim() == row.Expected.Trim();
}
