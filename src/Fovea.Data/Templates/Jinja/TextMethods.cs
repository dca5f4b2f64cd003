using System.Globalization;
using System.Text;

namespace Fovea.Data.Templates.Jinja;

/// <summary>Methods of texts.</summary>
internal static class TextMethods
{
    private delegate object? Method(Work work, string text, Arguments given);

    private static readonly Dictionary<string, Method> All = new(StringComparer.Ordinal)
    {
        ["capitalize"] = (_, text, _) => Capitalize(text),
        ["casefold"] = (_, text, _) => text.ToLowerInvariant(),
        ["count"] = (work, text, given) => Count(work, text, Text(given.Bind("count", "sub")[0])),
        ["endswith"] = (_, text, given) => Affixes(given.Bind("endswith", "suffix")[0]).Any(affix => text.EndsWith(affix, StringComparison.Ordinal)),
        ["find"] = (work, text, given) => Place(work, text, given.Bind("find", "sub")[0], last: false),
        ["format"] = PyFormat.Braces,
        ["index"] = (work, text, given) => Place(work, text, given.Bind("index", "sub")[0], last: false) is >= 0L and var at ? at : throw NotFound(),
        ["isalnum"] = (_, text, _) => Each(text, Rune.IsLetterOrDigit),
        ["isalpha"] = (_, text, _) => Each(text, Rune.IsLetter),
        ["isdecimal"] = (_, text, _) => Each(text, Rune.IsDigit),
        ["isdigit"] = (_, text, _) => Each(text, Rune.IsDigit),
        ["islower"] = (_, text, _) => HasCase(text, char.IsUpper, char.IsLower),
        ["isnumeric"] = (_, text, _) => Each(text, Rune.IsNumber),
        ["isspace"] = (_, text, _) => text.Length > 0 && text.All(PyText.IsSpace),
        ["isupper"] = (_, text, _) => HasCase(text, char.IsLower, char.IsUpper),
        ["join"] = (work, text, given) => Join(work, text, given.Bind("join", "iterable")[0]),
        ["lower"] = (_, text, _) => text.ToLowerInvariant(),
        ["lstrip"] = (_, text, given) => Strip(text, given.Bind("lstrip", "chars?")[0], atStart: true, atEnd: false),
        ["partition"] = (_, text, given) => Partition(text, Text(given.Bind("partition", "sep")[0]), last: false),
        ["removeprefix"] = (_, text, given) =>
            Text(given.Bind("removeprefix", "prefix")[0]) is var part && text.StartsWith(part, StringComparison.Ordinal) ? text[part.Length..] : text,
        ["removesuffix"] = (_, text, given) =>
            Text(given.Bind("removesuffix", "suffix")[0]) is var part && text.EndsWith(part, StringComparison.Ordinal) ? text[..^part.Length] : text,
        ["replace"] = (work, text, given) => Replace(work, text, given),
        ["rfind"] = (work, text, given) => Place(work, text, given.Bind("rfind", "sub")[0], last: true),
        ["rindex"] = (work, text, given) => Place(work, text, given.Bind("rindex", "sub")[0], last: true) is >= 0L and var at ? at : throw NotFound(),
        ["rpartition"] = (_, text, given) => Partition(text, Text(given.Bind("rpartition", "sep")[0]), last: true),
        ["rsplit"] = (work, text, given) => Split(work, text, given, fromEnd: true),
        ["rstrip"] = (_, text, given) => Strip(text, given.Bind("rstrip", "chars?")[0], atStart: false, atEnd: true),
        ["split"] = (work, text, given) => Split(work, text, given, fromEnd: false),
        ["splitlines"] = (_, text, given) => new PyList([.. Lines(text, Arguments.Flag(given.Bind("splitlines", "keepends?")[0], false))]),
        ["startswith"] = (_, text, given) => Affixes(given.Bind("startswith", "prefix")[0]).Any(affix => text.StartsWith(affix, StringComparison.Ordinal)),
        ["strip"] = (_, text, given) => Strip(text, given.Bind("strip", "chars?")[0], atStart: true, atEnd: true),
        ["title"] = (_, text, _) => Title(text),
        ["upper"] = (_, text, _) => text.ToUpperInvariant(),
    };

    // Python has these too.
    private static readonly string[] Others =
    [
        "center", "encode", "expandtabs", "format_map", "isascii", "isidentifier", "isprintable", "istitle", "ljust", "maketrans", "rjust", "swapcase",
        "translate", "zfill",
    ];

    /// <summary>The method of that name, or null.</summary>
    public static Callable? Find(string text, string name) => All.TryGetValue(name, out var method)
        ? new Callable(name, (rendering, given) => Charged(rendering.Work, method(rendering.Work, rendering.Work.Charge(text), given)))
        : Others.Contains(name) ? new Callable(name, (_, _) => throw new ValueException($"the method '{name}' of texts is not supported")) : null;

    public static string Capitalize(string text) => text.Length == 0 ? text : text[..1].ToUpperInvariant() + text[1..].ToLowerInvariant();

    /// <summary>A text without the characters, white space unless they are given, at its ends.</summary>
    public static string Strip(string text, object? given, bool atStart, bool atEnd)
    {
        if (Arguments.Or(given, null) is not { } chars)
        {
            text = atEnd ? PyText.TrimEnd(text) : text;
            return atStart ? PyText.TrimStart(text) : text;
        }

        var set = Text(chars).ToCharArray();
        text = atEnd && set.Length > 0 ? text.TrimEnd(set) : text;
        return atStart && set.Length > 0 ? text.TrimStart(set) : text;
    }

    /// <param name="count">Places at most; negative for all.</param>
    public static string Replace(Work work, string text, string old, string with, long count)
    {
        var written = new StringBuilder();
        var at = 0;
        for (; count != 0; count--)
        {
            var next = old.Length == 0 ? at : text.IndexOf(old, at, StringComparison.Ordinal);
            if (next < 0)
            {
                break;
            }

            work.Charge(1 + (with.Length / 8));
            written.Append(text, at, next - at).Append(with);
            if (written.Length > work.Limits.Characters)
            {
                work.Charge(written.ToString());
            }

            at = next + old.Length;
            if (old.Length == 0)
            {
                if (at == text.Length)
                {
                    break;
                }

                var length = at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? 2 : 1;
                written.Append(text, at, length);
                at += length;
            }
        }

        return work.Charge(written.Append(text, at, text.Length - at).ToString());
    }

    /// <summary>The lines of a text, divided by whatever Python takes for a line break.</summary>
    public static List<string> Lines(string text, bool keepEnds)
    {
        var lines = new List<string>();
        for (var start = 0; start < text.Length;)
        {
            var end = start;
            while (end < text.Length && text[end] is not ('\n' or '\r' or '\v' or '\f' or '\x1c' or '\x1d' or '\x1e' or '\x85' or '\u2028' or '\u2029'))
            {
                end++;
            }

            var next = end >= text.Length ? end : text[end] == '\r' && end + 1 < text.Length && text[end + 1] == '\n' ? end + 2 : end + 1;
            lines.Add(text[start..(keepEnds ? next : end)]);
            start = next;
        }

        return lines;
    }

    /// <summary>Whether letters are there and none of the other case.</summary>
    public static bool HasCase(string text, Func<char, bool> other, Func<char, bool> own) => text.Any(own) && !text.Any(other);

    private static object? Charged(Work work, object? value)
    {
        _ = value switch { string text => work.Charge(text).Length, PyList list => work.ChargeItems(list.Items.Count), _ => 0 };
        return value;
    }

    private static string Text(object? value) => Arguments.Text(value, string.Empty, "what a text is searched for");

    private static IEnumerable<string> Affixes(object? given) => given is PyList { IsTuple: true } several ? several.Items.Select(Text) : [Text(given)];

    private static ValueException NotFound() => new("the text does not hold what is searched for");

    private static bool Each(string text, Func<Rune, bool> holds) => text.Length > 0 && text.EnumerateRunes().All(holds);

    private static object Place(Work work, string text, object? part, bool last)
    {
        var sub = Text(part);
        var at = work.Charge(text) is var all && last ? all.LastIndexOf(sub, StringComparison.Ordinal) : all.IndexOf(sub, StringComparison.Ordinal);
        return at < 0 ? -1L : (long)PyText.Length(text[..at]);
    }

    private static object Count(Work work, string text, string part)
    {
        if (part.Length == 0)
        {
            return PyText.Length(text) + 1L;
        }

        var count = 0L;
        for (var at = text.IndexOf(part, StringComparison.Ordinal); at >= 0; at = text.IndexOf(part, at + part.Length, StringComparison.Ordinal))
        {
            work.Charge(1);
            count++;
        }

        return count;
    }

    private static string Replace(Work work, string text, Arguments given)
    {
        var bound = given.Bind("replace", "old", "new", "count?");
        return Replace(work, text, Text(bound[0]), Text(bound[1]), Arguments.Whole(bound[2], -1, "the count of replace"));
    }

    private static string Join(Work work, string between, object? items) => ListFilters.Join(
        work,
        new PyList([.. PyType.Items(work, items).Select(item => item as string ?? throw new ValueException("'join' of a text takes texts alone"))]),
        Arguments.Of(between));

    private static PyList Partition(string text, string part, bool last)
    {
        if (part.Length == 0)
        {
            throw new ValueException("a text is not divided by an empty one");
        }

        var at = last ? text.LastIndexOf(part, StringComparison.Ordinal) : text.IndexOf(part, StringComparison.Ordinal);
        object?[] parts = at >= 0 ? [text[..at], part, text[(at + part.Length)..]]
            : last ? [string.Empty, string.Empty, text] : [text, string.Empty, string.Empty];
        return new PyList(parts, IsTuple: true);
    }

    private static PyList Split(Work work, string text, Arguments given, bool fromEnd)
    {
        var bound = given.Bind(fromEnd ? "rsplit" : "split", "sep?", "maxsplit?");
        var most = Arguments.Whole(bound[1], -1, "maxsplit");
        most = most < 0 ? long.MaxValue : most;
        var parts = new List<object?>();
        if (Arguments.Or(bound[0], null) is not { } separator)
        {
            SplitBySpaces(work, text, most, fromEnd, parts);
        }
        else if (Text(separator) is not { Length: > 0 } by)
        {
            throw new ValueException("a text is not divided by an empty one");
        }
        else if (fromEnd)
        {
            var end = text.Length;
            for (var at = Before(end); at >= 0 && parts.Count < most; at = Before(end))
            {
                parts.Add(text[(at + by.Length)..end]);
                work.Charge(1);
                end = at;
            }

            parts.Add(text[..end]);

            int Before(int limit) => limit < by.Length ? -1 : text.LastIndexOf(by, limit - 1, StringComparison.Ordinal);
        }
        else
        {
            var start = 0;
            for (var at = text.IndexOf(by, StringComparison.Ordinal); at >= 0 && parts.Count < most; at = text.IndexOf(by, start, StringComparison.Ordinal))
            {
                parts.Add(text[start..at]);
                work.Charge(1);
                start = at + by.Length;
            }

            parts.Add(text[start..]);
        }

        if (fromEnd)
        {
            parts.Reverse();
        }

        return new PyList(parts);
    }

    private static void SplitBySpaces(Work work, string text, long most, bool fromEnd, List<object?> parts)
    {
        var (start, end) = (0, text.Length);
        while (true)
        {
            while (start < end && PyText.IsSpace(fromEnd ? text[end - 1] : text[start]))
            {
                _ = fromEnd ? end-- : start++;
            }

            if (start == end)
            {
                break;
            }

            work.Charge(1);
            if (parts.Count >= most)
            {
                parts.Add(text[start..end]);
                break;
            }

            var at = fromEnd ? end : start;
            while (fromEnd ? at > start && !PyText.IsSpace(text[at - 1]) : at < end && !PyText.IsSpace(text[at]))
            {
                at += fromEnd ? -1 : 1;
            }

            parts.Add(fromEnd ? text[at..end] : text[start..at]);
            (start, end) = fromEnd ? (start, at) : (at, end);
        }
    }

    /// <summary>Each word's first letter in upper case; words are runs of letters that have a case.</summary>
    private static string Title(string text)
    {
        var written = new StringBuilder(text.Length);
        var within = false;
        foreach (var c in text)
        {
            written.Append(within ? char.ToLower(c, CultureInfo.InvariantCulture) : char.ToUpper(c, CultureInfo.InvariantCulture));
            within = char.IsUpper(c) || char.IsLower(c);
        }

        return written.ToString();
    }
}
