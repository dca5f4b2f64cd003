using System.Globalization;

namespace Fovea.Evaluation.Report;

/// <summary>Writes what stands above a report's rows: numbers, circumstances, groups.</summary>
internal sealed class ReportHead(TextWriter text, AnswerReport report, double scale, ReportContents contents)
{
    // Longer tables of groups are folded, so that the rows are not far away.
    private const int MostOpen = 12;

    private static readonly (string Class, string Name)[] Classes = [("wrong", "wrong"), ("part", "partly right"), ("right", "right")];

    public void Write()
    {
        text.Write($"<header class=\"top\"><h1 dir=\"auto\">{HtmlText.Escape(report.Title)}</h1>");
        if (report.Subtitle.Length > 0)
        {
            text.Write($"<p class=\"sub\" dir=\"auto\">{HtmlText.Escape(report.Subtitle)}</p>");
        }

        text.Write("</header>\n");
        Metrics();
        Shares();
        foreach (var note in report.Notes.Append(contents.LeftOut).OfType<string>())
        {
            text.Write($"<p class=\"note\">{HtmlText.Escape(note)}</p>\n");
        }

        Facts();
        Groups();
    }

    private void Metrics()
    {
        if (report.Metrics.Count == 0)
        {
            return;
        }

        text.Write("<section class=\"metrics\" aria-label=\"Metrics\">");
        foreach (var metric in report.Metrics)
        {
            var interval = metric is { Low: { } low, High: { } high }
                ? $"<span class=\"ci\">95 % interval <b>{HtmlText.Number(low)} – {HtmlText.Number(high)}</b></span>"
                : string.Empty;
            text.Write($"<div class=\"metric\"><span class=\"name\">{HtmlText.Escape(metric.Name)}</span>"
                + $"<span class=\"value\">{HtmlText.Number(metric.Value)}</span>{interval}</div>");
        }

        text.Write("</section>\n");
    }

    /// <summary>How many rows are wrong, partly right and right, as one bar.</summary>
    private void Shares()
    {
        var scores = report.Rows.Where(row => row.Score is not null).Select(row => row.Score!.Value).ToList();
        if (scale > 1 || scores.Count == 0)
        {
            text.Write($"<p class=\"legend\">{HtmlText.Count(report.Rows.Count)} rows</p>\n");
            return;
        }

        var counts = new[] { scores.Count(s => s <= 0), scores.Count(s => s > 0 && s < 1 - 1e-9), scores.Count(s => s >= 1 - 1e-9) };
        text.Write("<div class=\"bar\" aria-hidden=\"true\">");
        for (var i = 0; i < counts.Length; i++)
        {
            text.Write(string.Create(CultureInfo.InvariantCulture, $"<i class=\"{Classes[i].Class}\" style=\"flex-grow:{counts[i]}\"></i>"));
        }

        text.Write($"</div><p class=\"legend\">{HtmlText.Count(report.Rows.Count)} rows:");
        for (var i = 0; i < counts.Length; i++)
        {
            if (counts[i] > 0)
            {
                var percent = string.Create(CultureInfo.InvariantCulture, $"{100.0 * counts[i] / scores.Count:0.#}");
                text.Write($" <span class=\"{Classes[i].Class}\"><i></i>{HtmlText.Count(counts[i])} {Classes[i].Name} ({percent} %)</span>");
            }
        }

        text.Write("</p>\n");
    }

    private void Facts()
    {
        if (report.Facts.Count == 0)
        {
            return;
        }

        text.Write("<details class=\"facts\" open><summary>How it was measured</summary><dl>");
        foreach (var fact in report.Facts)
        {
            text.Write($"<div><dt>{HtmlText.Escape(fact.Name)}</dt><dd dir=\"auto\">{HtmlText.Escape(fact.Text)}</dd></div>");
        }

        text.Write("</dl></details>\n");
    }

    /// <summary>One table for each kind of group: a line a group, a column a metric; the first metric is drawn too.</summary>
    private void Groups()
    {
        foreach (var kind in report.Groups.GroupBy(score => score.Kind))
        {
            var metrics = kind.Select(score => score.Metric).Distinct().ToList();
            var most = Math.Max(1e-12, kind.Where(score => score.Metric == metrics[0]).Max(score => Math.Abs(score.Value)));
            var open = kind.Select(score => score.Group).Distinct().Count() <= MostOpen ? " open" : string.Empty;
            text.Write($"<details class=\"groups\"{open}><summary>By {HtmlText.Escape(kind.Key)}</summary>");
            text.Write("<table><thead><tr><th>Group</th><th class=\"num\">Rows</th>");
            text.Write(string.Concat(metrics.Select(metric => $"<th class=\"num\">{HtmlText.Escape(metric)}</th>")));
            text.Write("<th aria-hidden=\"true\"></th></tr></thead><tbody>");
            foreach (var group in kind.GroupBy(score => score.Group))
            {
                var values = group.GroupBy(score => score.Metric).ToDictionary(of => of.Key, of => of.First().Value);
                text.Write($"<tr><td dir=\"auto\">{HtmlText.Escape(group.Key)}</td>");
                text.Write($"<td class=\"num\">{HtmlText.Count(group.Max(score => score.Items))}</td>");
                var numbers = metrics.Select(metric => values.TryGetValue(metric, out var value) ? HtmlText.Number(value) : "–");
                text.Write(string.Concat(numbers.Select(number => $"<td class=\"num\">{number}</td>")));
                var share = values.TryGetValue(metrics[0], out var first) ? Math.Clamp(first / most, 0, 1) : 0;
                var width = (100 * share).ToString("0.#", CultureInfo.InvariantCulture);
                text.Write($"<td class=\"draw\" aria-hidden=\"true\"><i style=\"width:{width}%\"></i></td></tr>");
            }

            text.Write("</tbody></table></details>\n");
        }
    }
}
