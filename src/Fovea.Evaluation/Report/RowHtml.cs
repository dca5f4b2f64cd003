using System.Globalization;
using System.Text;

namespace Fovea.Evaluation.Report;

/// <summary>Writes rows of a report.</summary>
/// <param name="limits">Sizes of pictures and texts.</param>
/// <param name="scale">The score of a perfect answer, or the largest one of a scale without end.</param>
/// <param name="filters">Knows the numbers of the groups.</param>
internal sealed class RowHtml(ReportLimits limits, double scale, ReportFilters filters)
{
    private const string ReadAs = "read as ";
    private readonly Thumbnails thumbnails = new(limits.Side);

    /// <param name="number">Place in the order of the files, from 0.</param>
    /// <param name="shows">Show pictures; otherwise their files are named.</param>
    /// <returns>The row, and the bytes in it that are pictures.</returns>
    public (string Html, long PictureBytes) Write(ReportRow row, int number, bool shows)
    {
        var html = new StringBuilder();
        var bytes = 0L;
        html.Append(CultureInfo.InvariantCulture, $"<article class=\"row\" data-n=\"{number}\" data-g=\"{filters.Numbers(row)}\"");
        html.Append(CultureInfo.InvariantCulture, $" data-l=\"{row.Turns.Sum(turn => turn.Answer?.Length ?? 0)}\"");
        if (row.Score is { } value)
        {
            html.Append(CultureInfo.InvariantCulture, $" data-s=\"{value:R}\" data-c=\"{ReportFilters.Class(value, scale)}\"");
        }

        html.Append(">\n<header>");
        if (row.Score is { } known)
        {
            var share = Math.Clamp(known / scale, 0, 1);
            html.Append(CultureInfo.InvariantCulture, $"<span class=\"score\" style=\"--s:{share:0.###}\">{HtmlText.Score(known)}</span>");
        }

        html.Append(CultureInfo.InvariantCulture, $"<span class=\"id\" dir=\"auto\">{HtmlText.Escape(row.Id, limits.Characters)}</span>");
        foreach (var (kind, group) in row.Groups)
        {
            html.Append(CultureInfo.InvariantCulture, $"<span class=\"tag\" title=\"{HtmlText.Escape(kind)}\" dir=\"auto\">{HtmlText.Escape(group)}</span>");
        }

        foreach (var extra in row.Scores)
        {
            html.Append(CultureInfo.InvariantCulture, $"<span class=\"extra\">{HtmlText.Escape(extra.Name)} <b>{HtmlText.Number(extra.Value)}</b></span>");
        }

        html.Append("</header>\n");
        for (var i = 0; i < row.Turns.Count; i++)
        {
            bytes += Turn(html, row, i, shows);
        }

        html.Append("</article>\n");
        return (html.ToString(), bytes);
    }

    private long Turn(StringBuilder html, ReportRow row, int turn, bool shows)
    {
        var (asked, last) = (row.Turns[turn], turn == row.Turns.Count - 1);
        html.Append("<div class=\"turn\">");
        var bytes = asked.Images.Count > 0 ? Pictures(html, asked, shows) : 0;
        html.Append("<dl>");
        Line(html, "q", row.Turns.Count > 1 ? $"Question {turn + 1}" : "Question", asked.Question);
        if (asked.Answer is { } answer)
        {
            Line(html, "a", "Answer", answer, empty: "(empty)");
        }

        Line(html, "e", "Expected", asked.Expected ?? string.Empty);
        if (last)
        {
            Line(html, "e", "Expected", row.Expected);
            var note = row.Note ?? string.Empty;
            Line(html, "n", asked.Answer is null ? "No answer" : "Read as", note.StartsWith(ReadAs, StringComparison.Ordinal) ? note[ReadAs.Length..] : note);
        }

        html.Append("</dl></div>\n");
        return bytes;
    }

    private long Pictures(StringBuilder html, ReportTurn turn, bool shows)
    {
        var bytes = 0L;
        html.Append("<div class=\"pics\">");
        foreach (var (number, image) in turn.Images.Index())
        {
            var name = HtmlText.Escape(Path.GetFileName(image.Name) is { Length: > 0 } file ? file : image.Name, limits.Characters);
            var small = shows ? thumbnails.Of(image) : null;
            if (small?.Uri is { } uri)
            {
                bytes += uri.Length;
                var marks = turn.Marks.Where(mark => mark.Image == number).ToList();
                html.Append(marks.Count > 0 ? "<span class=\"marked\">" : string.Empty);
                html.Append(CultureInfo.InvariantCulture, $"<img src=\"{uri}\" width=\"{small.Width}\" height=\"{small.Height}\"");
                html.Append(CultureInfo.InvariantCulture, $" alt=\"{name}\" title=\"{name}\">");
                if (marks.Count > 0)
                {
                    MarkSvg.Write(html, marks.Take(limits.Marks), small.Width, small.Height);
                    html.Append("</span>");
                }
            }
            else
            {
                var problem = small?.Problem is { } reason ? $"<span>{HtmlText.Escape(reason)}</span>" : string.Empty;
                html.Append(CultureInfo.InvariantCulture, $"<span class=\"file\" dir=\"auto\">{name}{problem}</span>");
            }
        }

        html.Append("</div>");
        return bytes;
    }

    private void Line(StringBuilder html, string kind, string name, string text, string empty = "")
    {
        if (text.Length > 0 || empty.Length > 0)
        {
            var shown = text.Length > 0 ? HtmlText.Escape(text, limits.Characters) : $"<em>{empty}</em>";
            html.Append(CultureInfo.InvariantCulture, $"<div class=\"{kind}\"><dt>{name}</dt><dd dir=\"auto\">{shown}</dd></div>");
        }
    }
}
