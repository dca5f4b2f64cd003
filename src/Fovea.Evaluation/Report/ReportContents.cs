namespace Fovea.Evaluation.Report;

/// <summary>What a report holds of what it was given.</summary>
/// <param name="Rows">All rows.</param>
/// <param name="RowsShown">Those in the file, the worst ones.</param>
/// <param name="PictureRows">Those whose pictures are shown, or would be if they could be read.</param>
/// <param name="RowsWithPictures">Rows that have pictures at all.</param>
internal sealed record ReportContents(int Rows, int RowsShown, int PictureRows, int RowsWithPictures)
{
    /// <summary>What was left out, in one sentence; null where nothing was.</summary>
    public string? LeftOut
    {
        get
        {
            var parts = new List<string>();
            if (RowsShown < Rows)
            {
                parts.Add($"this file holds the {HtmlText.Count(RowsShown)} worst of {HtmlText.Count(Rows)} rows");
            }

            if (PictureRows < Math.Min(RowsWithPictures, RowsShown))
            {
                parts.Add($"pictures are shown for the {HtmlText.Count(PictureRows)} worst rows; the others name their files");
            }

            return parts.Count == 0 ? null : $"To stay small, {string.Join(", and ", parts)}.";
        }
    }
}
