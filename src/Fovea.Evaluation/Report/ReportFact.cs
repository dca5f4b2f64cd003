namespace Fovea.Evaluation.Report;

/// <summary>A line of a report's list of circumstances.</summary>
/// <param name="Name">For instance <c>Rule</c>.</param>
/// <param name="Text">Any text; lines are kept.</param>
internal sealed record ReportFact(string Name, string Text);
