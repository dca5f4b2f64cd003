using System.Globalization;
using System.Text;

namespace Fovea.Data.Templates.Jinja;

/// <summary>Texts with places for values, and dates.</summary>
internal static class PyFormat
{
    private const int MostWidth = 1000;

    /// <summary><c>format % values</c>: s, r, d, i, f, x and X with flags, width and precision.</summary>
    public static string Percent(Work work, string format, object? given)
    {
        var values = given is PyList { IsTuple: true } tuple ? tuple.Items : [given];
        var text = new StringBuilder();
        var next = 0;
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                text.Append(format[i]);
                continue;
            }

            var start = ++i;
            while (i < format.Length && format[i] is '-' or '+' or ' ' or '0')
            {
                i++;
            }

            var flags = format[start..Math.Min(i, format.Length)];
            var width = Number(format, ref i) ?? 0;
            int? precision = null;
            if (i < format.Length && format[i] == '.')
            {
                i++;
                precision = Number(format, ref i) ?? 0;
            }

            if (i < format.Length && format[i] == '%')
            {
                text.Append('%');
                continue;
            }

            var value = next < values.Count ? values[next++] : throw new ValueException("not enough values for the places of the text");
            text.Append(Pad(Converted(work, i < format.Length ? format[i] : '\0', value, precision, flags), width, flags));
            work.Charge(2);
        }

        if (next < values.Count && (given is PyList { IsTuple: true } || given is not (PyDict or PyList or Undefined)))
        {
            throw new ValueException("not all values have a place in the text");
        }

        return work.Charge(text.ToString());
    }

    /// <summary><c>text.format(...)</c> with places that say at most which value they take.</summary>
    public static string Braces(Work work, string format, Arguments given)
    {
        var text = new StringBuilder();
        var next = 0;
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] is not ('{' or '}'))
            {
                text.Append(format[i]);
            }
            else if (i + 1 < format.Length && format[i + 1] == format[i])
            {
                text.Append(format[i++]);
            }
            else
            {
                var end = format[i] == '{' ? format.IndexOf('}', i) : -1;
                var name = end < 0 ? throw new ValueException("a brace in the text has no other") : format[(i + 1)..end];
                name = name.Length == 0 ? next++.ToString(CultureInfo.InvariantCulture) : name;
                text.Append(PyText.Of(work, int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var at)
                    ? (at < given.Positional.Count ? given.Positional[at] : throw new ValueException($"there is no value for the place {{{name}}}"))
                    : name.All(c => char.IsLetterOrDigit(c) || c == '_')
                        ? (given.Named.TryGetValue(name, out var value) ? value : throw new ValueException($"there is no value for the place {{{name}}}"))
                        : throw new ValueException($"the place {{{name}}} is not supported: only names and numbers are")));
                i = end;
            }
        }

        return work.Charge(text.ToString());
    }

    /// <summary><c>strftime</c> with English names.</summary>
    public static string Date(DateTime now, string format)
    {
        var text = new StringBuilder();
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 >= format.Length)
            {
                text.Append(format[i]);
                continue;
            }

            var bare = format[i + 1] == '-' && i + 2 < format.Length;
            i += bare ? 2 : 1;
            var written = format[i] switch
            {
                '%' => "%",
                'Y' => now.Year.ToString("0000", CultureInfo.InvariantCulture),
                'm' => Two(now.Month),
                'd' => Two(now.Day),
                'H' => Two(now.Hour),
                'I' => Two((now.Hour + 11) % 12 + 1),
                'M' => Two(now.Minute),
                'S' => Two(now.Second),
                'j' => now.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
                'y' => Two(now.Year % 100),
                'f' => (now.Ticks / 10 % 1_000_000).ToString("000000", CultureInfo.InvariantCulture),
                'b' or 'h' => now.ToString("MMM", CultureInfo.InvariantCulture),
                'B' => now.ToString("MMMM", CultureInfo.InvariantCulture),
                'a' => now.ToString("ddd", CultureInfo.InvariantCulture),
                'A' => now.ToString("dddd", CultureInfo.InvariantCulture),
                'p' => now.Hour < 12 ? "AM" : "PM",
                'F' => now.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
                'T' => now.ToString("HH:mm:ss", CultureInfo.InvariantCulture),
                _ => throw new ValueException($"strftime_now does not support %{format[i]}"),
            };
            text.Append(bare ? written.TrimStart('0') is { Length: > 0 } shortened ? shortened : "0" : written);
        }

        return text.ToString();
    }

    private static string Two(int number) => number.ToString("00", CultureInfo.InvariantCulture);

    private static int? Number(string format, ref int at)
    {
        var start = at;
        while (at < format.Length && char.IsAsciiDigit(format[at]))
        {
            at++;
        }

        return at == start ? null : int.TryParse(format.AsSpan(start, at - start), CultureInfo.InvariantCulture, out var number) && number <= MostWidth
            ? number
            : throw new ValueException($"a place of the text is wider than {MostWidth}");
    }

    private static string Converted(Work work, char kind, object? value, int? precision, string flags)
    {
        string text;
        switch (kind)
        {
            case 's' or 'r':
                text = kind == 's' ? PyText.Of(work, value) : PyText.Repr(work, value);
                return precision is { } most && most < text.Length ? text[..most] : text;
            case 'd' or 'i' when PyType.IsNumber(value, out var real):
                text = Math.Truncate(real).ToString("F0", CultureInfo.InvariantCulture);
                text = PyType.IsInteger(value, out var whole) ? whole.ToString(CultureInfo.InvariantCulture) : text;
                break;
            case 'x' or 'X' when PyType.IsInteger(value, out var number):
                text = Math.Abs(number).ToString(kind == 'x' ? "x" : "X", CultureInfo.InvariantCulture);
                text = number < 0 ? "-" + text : text;
                break;
            case 'f' or 'F' when PyType.IsNumber(value, out var real):
                text = PyMath.Round(real, precision ?? 6).ToString($"F{precision ?? 6}", CultureInfo.InvariantCulture);
                break;
            default:
                throw new ValueException($"the place %{kind} does not take a value of type '{PyType.Name(value)}'");
        }

        return text[0] == '-' ? text : flags.Contains('+') ? "+" + text : flags.Contains(' ') ? " " + text : text;
    }

    private static string Pad(string text, int width, string flags)
    {
        if (flags.Contains('-'))
        {
            return text.PadRight(width);
        }

        var signs = text.Length > 0 && text[0] is '-' or '+' or ' ' ? 1 : 0;
        return flags.Contains('0') && text.Length < width && char.IsAsciiLetterOrDigit(text[^1])
            ? text[..signs] + text[signs..].PadLeft(width - signs, '0')
            : text.PadLeft(width);
    }
}
