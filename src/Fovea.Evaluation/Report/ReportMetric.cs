namespace Fovea.Evaluation.Report;

/// <summary>A number at the head of a report.</summary>
/// <param name="Name">As published.</param>
/// <param name="Low">Lower end of the 95 % interval; null where there is none.</param>
/// <param name="High">Upper end of the 95 % interval.</param>
internal sealed record ReportMetric(string Name, double Value, double? Low = null, double? High = null);
