namespace Fovea.Data.Datasets;

/// <summary>How many rows a dataset has (after <c>max_samples</c>) and how many of them cannot be used.</summary>
internal sealed record DatasetSummary(string Name, bool ForEvaluation, int Rows, int Rejected);
