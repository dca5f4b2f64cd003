using System.Globalization;

namespace Fovea.Evaluation.Report;

/// <summary>By what a report's rows can be filtered: groups and kinds of scores.</summary>
internal sealed class ReportFilters
{
    // A list of more groups than this helps nobody, and kinds with one group or with one for every row neither.
    private const int MostGroups = 60;

    private readonly IReadOnlyList<ReportRow> rows;
    private readonly Dictionary<(string Kind, string Group), int> numbers = [];
    private readonly List<(string Kind, List<string> Groups)> kinds = [];

    public ReportFilters(IReadOnlyList<ReportRow> rows)
    {
        this.rows = rows;
        foreach (var kind in rows.SelectMany(row => row.Groups.Keys).Distinct())
        {
            var groups = rows.Select(row => row.Groups.GetValueOrDefault(kind)).OfType<string>().Distinct().Order(StringComparer.Ordinal).ToList();
            if (groups.Count is > 1 and <= MostGroups)
            {
                kinds.Add((kind, groups));
                groups.ForEach(group => numbers[(kind, group)] = numbers.Count);
            }
        }
    }

    /// <summary>The numbers of a row's groups, each between spaces.</summary>
    public string Numbers(ReportRow row)
    {
        var of = row.Groups.Where(group => numbers.ContainsKey((group.Key, group.Value))).Select(group => numbers[(group.Key, group.Value)]);
        return $" {string.Join(' ', of)} ";
    }

    /// <summary>What a score says: <c>wrong</c>, <c>part</c> or <c>right</c>.</summary>
    public static string Class(double score, double scale) => score <= 0 ? "wrong" : score >= scale - 1e-9 ? "right" : "part";

    /// <summary>The line of search, filters and sorting.</summary>
    public void Write(TextWriter text, double scale)
    {
        text.Write("<form id=\"tools\" hidden><input type=\"search\" id=\"search\" placeholder=\"Search questions and answers\" aria-label=\"Search\">");
        var scores = rows.Where(row => row.Score is not null).Select(row => Class(row.Score!.Value, scale)).ToHashSet();
        if (scale <= 1 && scores.Count > 1)
        {
            var classes = new[] { ("wrong", "Wrong"), ("part", "Partly right"), ("right", "Right") };
            Choice(text, "class", "All scores", classes.Where(of => scores.Contains(of.Item1)));
        }

        foreach (var (kind, groups) in kinds)
        {
            Choice(text, "group", $"All: {kind}", groups.Select(group => (numbers[(kind, group)].ToString(CultureInfo.InvariantCulture), group)));
        }

        var orders = new[] { ("best", "Best first"), ("file", "Order of the files"), ("long", "Longest answers first"), ("short", "Shortest first") };
        Choice(text, "sort", "Worst first", scores.Count > 0 ? orders : orders[1..]);
        text.Write("<output id=\"count\"></output></form>\n");
    }

    private static void Choice(TextWriter text, string kind, string all, IEnumerable<(string Value, string Name)> options)
    {
        text.Write($"<select data-kind=\"{kind}\" aria-label=\"{HtmlText.Escape(all)}\"><option value=\"\">{HtmlText.Escape(all)}</option>");
        foreach (var (value, name) in options)
        {
            text.Write($"<option value=\"{value}\">{HtmlText.Escape(name.Length > 0 ? name : "(none)", 80)}</option>");
        }

        text.Write("</select>");
    }
}
