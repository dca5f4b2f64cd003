namespace Fovea.Evaluation.Report;

/// <summary>One item of a report: its turns, and how good the answers are.</summary>
internal sealed record ReportRow
{
    /// <summary>As the files spell it.</summary>
    public required string Id { get; init; }

    /// <summary>At least one.</summary>
    public required IReadOnlyList<ReportTurn> Turns { get; init; }

    /// <summary>The expected answer; empty where the turns say it.</summary>
    public string Expected { get; init; } = string.Empty;

    /// <summary>0 to 1, or of another scale, larger is better; null where nothing was expected.</summary>
    public double? Score { get; init; }

    /// <summary>How the answer was read, or why there is none.</summary>
    public string? Note { get; init; }

    /// <summary>Further scores by name.</summary>
    public IReadOnlyList<ReportMetric> Scores { get; init; } = [];

    /// <summary>Kind of group to group: what the reader can filter by.</summary>
    public IReadOnlyDictionary<string, string> Groups { get; init; } = new Dictionary<string, string>();
}
