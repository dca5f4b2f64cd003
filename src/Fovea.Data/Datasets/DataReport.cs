namespace Fovea.Data.Datasets;

/// <summary>The outcome of a check: each data set, every rejected row (the first 10,000 a data set), and one sample as the model sees it.</summary>
public sealed record DataReport(
    IReadOnlyList<DatasetReport> Datasets, IReadOnlyList<BadSample> Rejected, string? ExampleName, IReadOnlyList<ExampleSpan> Example);
