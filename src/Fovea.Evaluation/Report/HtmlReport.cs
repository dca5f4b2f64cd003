using System.Globalization;
using System.Text;

namespace Fovea.Evaluation.Report;

/// <summary>
/// Writes a report as one HTML file that needs nothing else: no network, no library, no other file. Rows come worst first; search, filters and sorting are a
/// few lines of script, without which all rows are still there.
/// </summary>
internal static class HtmlReport
{
    /// <summary>Writes the file.</summary>
    /// <param name="path">Replaced as a whole.</param>
    /// <returns>What the file holds, also said in it.</returns>
    /// <exception cref="FoveaException">It cannot be written.</exception>
    public static ReportContents Write(string path, AnswerReport report, ReportLimits? limits = null)
    {
        limits ??= new();
        var scale = Math.Max(1, report.Rows.Select(row => row.Score ?? 0).DefaultIfEmpty(0).Max());
        var filters = new ReportFilters(report.Rows);
        var writer = new RowHtml(limits, scale, filters);
        var order = Enumerable.Range(0, report.Rows.Count).OrderBy(i => report.Rows[i].Score ?? double.PositiveInfinity).ToList();
        var rows = new List<string>();
        var (bytes, pictures, pictureBytes) = (0L, 0, 0L);
        foreach (var i in order.Take(limits.Rows))
        {
            var shows = pictures < limits.PictureRows && pictureBytes < limits.PictureBytes;
            var row = writer.Write(report.Rows[i], i, shows);
            var length = Encoding.UTF8.GetByteCount(row.Html);
            if (bytes + length > limits.Bytes && rows.Count > 0)
            {
                break;
            }

            rows.Add(row.Html);
            bytes += length;
            pictures += shows && report.Rows[i].Turns.Any(turn => turn.Images.Count > 0) ? 1 : 0;
            pictureBytes += row.PictureBytes;
        }

        var contents = new ReportContents(report.Rows.Count, rows.Count, pictures, report.Rows.Count(row => row.Turns.Any(turn => turn.Images.Count > 0)));
        AtomicFile.Write(path, stream =>
        {
            using var text = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true);
            text.Write(Head(report));
            new ReportHead(text, report, scale, contents).Write();
            filters.Write(text, scale);
            text.Write("<main id=\"rows\">\n");
            rows.ForEach(text.Write);
            text.Write($"</main>\n<p id=\"none\" hidden>No row matches.</p>\n<script>{Resource("report.js")}</script>\n</body>\n</html>\n");
        });
        return contents;
    }

    private static string Head(AnswerReport report) => string.Create(CultureInfo.InvariantCulture, $"""
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
        <title>{HtmlText.Escape(report.Title)}</title>
        <style>
        {Resource("report.css")}</style>
        </head>
        <body>

        """);

    private static string Resource(string name)
    {
        using var stream = typeof(HtmlReport).Assembly.GetManifestResourceStream($"Fovea.Evaluation.Report.{name}")
            ?? throw new InvalidOperationException($"{name} is missing in Fovea.Evaluation");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return Encoding.UTF8.GetString(bytes);
    }
}
