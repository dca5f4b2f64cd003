namespace Fovea.Evaluation.Report;

/// <summary>What a report shows: how good answers are, how they were made and scored, and the answers themselves.</summary>
internal sealed record AnswerReport
{
    /// <summary>The heading, for instance the benchmark's name.</summary>
    public required string Title { get; init; }

    /// <summary>The line below the heading, for instance the model's name; may be empty.</summary>
    public string Subtitle { get; init; } = string.Empty;

    /// <summary>The numbers, the most important first.</summary>
    public IReadOnlyList<ReportMetric> Metrics { get; init; } = [];

    /// <summary>What a number's reader has to know: rule, prompt, model, settings.</summary>
    public IReadOnlyList<ReportFact> Facts { get; init; } = [];

    /// <summary>Metrics of groups of rows.</summary>
    public IReadOnlyList<GroupScore> Groups { get; init; } = [];

    /// <summary>Sentences above everything else: that rows are missing, that metrics were left out.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>All answers, in the order of their files.</summary>
    public required IReadOnlyList<ReportRow> Rows { get; init; }
}
