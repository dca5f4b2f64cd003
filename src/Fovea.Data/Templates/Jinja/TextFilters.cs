using System.Text;

namespace Fovea.Data.Templates.Jinja;

/// <summary>Filters that make texts.</summary>
internal static class TextFilters
{
    public static string Json(Work work, object? subject, Arguments given)
    {
        var bound = given.Bind("tojson", "ensure_ascii?", "indent?", "separators?", "sort_keys?");
        var indent = Arguments.Or(bound[1], null) switch
        {
            null => null,
            string text => text,
            var number => new string(' ', (int)Math.Clamp(Arguments.Whole(number, 0, "the indent of tojson"), 0, 100)),
        };
        var (between, colon) = Arguments.Or(bound[2], null) switch
        {
            null => (indent is null ? ", " : ",", ": "),
            PyList { Items: [string first, string second] } => (first, second),
            _ => throw new ValueException("the separators of tojson must be two texts"),
        };
        return new PyJson(work, Arguments.Flag(bound[0], false), indent, between, colon, Arguments.Flag(bound[3], false)).Write(subject);
    }

    public static string Replace(Work work, string text, Arguments given)
    {
        var bound = given.Bind("replace", "old", "new", "count?");
        var count = Arguments.Or(bound[2], null) is { } most ? Arguments.Whole(most, -1, "the count of replace") : -1;
        return TextMethods.Replace(work, text, PyText.Of(work, bound[0]), PyText.Of(work, bound[1]), count);
    }

    public static string Indent(string text, Arguments given)
    {
        var bound = given.Bind("indent", "width?", "first?", "blank?");
        var by = bound[0] as string ?? new string(' ', (int)Math.Clamp(Arguments.Whole(bound[0], 4, "the width of indent"), 0, 1000));
        var blank = Arguments.Flag(bound[2], false);
        var lines = TextMethods.Lines(text + "\n", keepEnds: false);
        var written = string.Join('\n', lines.Select((line, i) => i > 0 && (blank || line.Length > 0) ? by + line : line));
        return Arguments.Flag(bound[1], false) ? by + written : written;
    }

    public static string Title(string text)
    {
        var written = new StringBuilder(text.Length);
        var starts = true;
        foreach (var c in text)
        {
            var parts = c is '-' or '(' or '{' or '[' or '<' || PyText.IsSpace(c);
            written.Append(parts ? c : starts ? char.ToUpperInvariant(c) : char.ToLowerInvariant(c));
            starts = parts;
        }

        return written.ToString();
    }

    public static string Truncate(string text, Arguments given)
    {
        var bound = given.Bind("truncate", "length?", "killwords?", "end?", "leeway?");
        var length = (int)Math.Clamp(Arguments.Whole(bound[0], 255, "the length of truncate"), 0, int.MaxValue / 2);
        var end = Arguments.Text(bound[2], "...", "the end of truncate");
        var leeway = Arguments.Or(bound[3], null) is { } more ? Arguments.Whole(more, 5, "the leeway of truncate") : 5;
        if (text.Length <= length + leeway)
        {
            return text;
        }

        var cut = text[..Math.Clamp(length - end.Length, 0, text.Length)];
        var space = Arguments.Flag(bound[1], false) ? -1 : cut.LastIndexOf(' ');
        return (space < 0 ? cut : cut[..space]) + end;
    }

    public static object Words(string text)
    {
        var (count, within) = (0L, false);
        foreach (var c in text)
        {
            var isWord = char.IsLetterOrDigit(c) || c == '_';
            count += isWord && !within ? 1 : 0;
            within = isWord;
        }

        return count;
    }
}
