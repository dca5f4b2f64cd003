namespace Fovea.Evaluation.Report;

/// <summary>How large a report may grow. What does not fit is counted in the report itself.</summary>
internal sealed record ReportLimits
{
    /// <summary>Longer side of a thumbnail, in pixels.</summary>
    public int Side { get; init; } = 160;

    /// <summary>Rows with pictures, the worst ones; the others name their files.</summary>
    public int PictureRows { get; init; } = 500;

    /// <summary>Bytes of thumbnails, as they stand in the file.</summary>
    public long PictureBytes { get; init; } = 24L << 20;

    /// <summary>Rows in all.</summary>
    public int Rows { get; init; } = 20_000;

    /// <summary>Bytes of the whole file, within one row.</summary>
    public long Bytes { get; init; } = 48L << 20;

    /// <summary>Boxes and points drawn on one picture.</summary>
    public int Marks { get; init; } = 200;

    /// <summary>Characters of one text; longer ones are cut.</summary>
    public int Characters { get; init; } = 6000;
}
