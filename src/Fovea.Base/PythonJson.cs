using System.Collections;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Fovea;

/// <summary>
/// JSON as Python's <c>json</c> module writes and reads it: <c>3.0</c> stays a float, exponents look like <c>1e-05</c>, text is ASCII with escapes,
/// NaN and infinities have names. Values are null, bool, int, long, double, string, dictionaries by string and lists.
/// </summary>
internal static class PythonJson
{
    /// <summary>One line with <c>", "</c> and <c>": "</c>, keys in their own order: <c>json.dumps(value)</c>.</summary>
    public static string Line(object? value) => Write(value, indent: 0, sortKeys: false);

    /// <summary>As <see cref="Line"/>, text beyond ASCII as it is: <c>json.dumps(value, ensure_ascii=False)</c>.</summary>
    public static string TextLine(object? value) => Write(value, indent: 0, sortKeys: false, ascii: false);

    /// <summary>Indented with sorted keys: <c>json.dumps(value, indent=indent, sort_keys=True)</c>.</summary>
    public static string Pretty(object? value, int indent = 2) => Write(value, indent, sortKeys: true);

    /// <summary>Python's <c>repr</c> of a float: the shortest digits that read back the same.</summary>
    public static string Float(double value)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
        }

        var (sign, digits, point) = Shortest(value);
        if (point is < -3 or > 16)
        {
            var fraction = digits.Length > 1 ? "." + digits[1..] : string.Empty;
            return $"{sign}{digits[0]}{fraction}e{(point > 0 ? '+' : '-')}{Math.Abs(point - 1):00}";
        }

        return point switch
        {
            <= 0 => $"{sign}0.{new string('0', -point)}{digits}",
            _ when point >= digits.Length => $"{sign}{digits.PadRight(point, '0')}.0",
            _ => $"{sign}{digits[..point]}.{digits[point..]}",
        };
    }

    /// <summary>Reads a JSON object; numbers with a point or an exponent are doubles, others longs.</summary>
    /// <exception cref="JsonException">The text is not a JSON object.</exception>
    public static Dictionary<string, object?> ReadObject(string text)
    {
        // Python writes bare NaN and Infinity, which JSON proper does not have.
        using var json = JsonText.Parse(Encoding.UTF8.GetBytes(QuoteNames(text)));
        return json.RootElement.ValueKind == JsonValueKind.Object
            ? (Dictionary<string, object?>)Read(json.RootElement)!
            : throw new JsonException("not a JSON object");
    }

    /// <summary>A text in quotes, with its escapes; with <paramref name="ascii"/> also of everything beyond ASCII.</summary>
    public static void AppendText(StringBuilder text, string words, bool ascii)
    {
        text.Append('"');
        foreach (var c in words)
        {
            _ = c switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                '\b' => text.Append("\\b"),
                '\f' => text.Append("\\f"),
                < ' ' => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                > '~' when ascii => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => text.Append(c),
            };
        }

        text.Append('"');
    }

    private static string Write(object? value, int indent, bool sortKeys, bool ascii = true)
    {
        var text = new StringBuilder();
        Append(text, value, indent, sortKeys, ascii, depth: 0);
        return text.ToString();
    }

    private static void Append(StringBuilder text, object? value, int indent, bool sortKeys, bool ascii, int depth)
    {
        switch (value)
        {
            case null:
                text.Append("null");
                break;
            case bool flag:
                text.Append(flag ? "true" : "false");
                break;
            case int or long:
                text.Append(CultureInfo.InvariantCulture, $"{value}");
                break;
            case double real:
                text.Append(Float(real));
                break;
            case string words:
                AppendText(text, words, ascii);
                break;
            case IReadOnlyDictionary<string, object?> map:
                AppendPairs(sortKeys ? map.OrderBy(pair => pair.Key, StringComparer.Ordinal) : map.AsEnumerable());
                break;
            case IReadOnlyList<KeyValuePair<string, object?>> ordered:
                AppendPairs(ordered);
                break;
            case IEnumerable list:
                AppendAll(text, '[', ']', [.. list.Cast<object?>()], indent, depth, item => Append(text, item, indent, sortKeys, ascii, depth + 1));
                break;
            default:
                throw new ArgumentException($"{value.GetType()} has no JSON form", nameof(value));
        }

        void AppendPairs(IEnumerable<KeyValuePair<string, object?>> pairs) => AppendAll(text, '{', '}', [.. pairs], indent, depth, pair =>
        {
            AppendText(text, pair.Key, ascii);
            text.Append(": ");
            Append(text, pair.Value, indent, sortKeys, ascii, depth + 1);
        });
    }

    private static void AppendAll<T>(StringBuilder text, char open, char close, IReadOnlyList<T> items, int indent, int depth, Action<T> append)
    {
        text.Append(open);
        for (var i = 0; i < items.Count; i++)
        {
            text.Append(i == 0 ? string.Empty : indent > 0 ? "," : ", ");
            NewLine(text, indent, depth + 1);
            append(items[i]);
        }

        if (items.Count > 0)
        {
            NewLine(text, indent, depth);
        }

        text.Append(close);
    }

    private static void NewLine(StringBuilder text, int indent, int depth)
    {
        if (indent > 0)
        {
            text.Append('\n').Append(' ', indent * depth);
        }
    }

    /// <summary>The shortest digits of a number and how many of them stand before the point (0 or less: zeros follow the point first).</summary>
    private static (string Sign, string Digits, int Point) Shortest(double value)
    {
        var text = value.ToString("R", CultureInfo.InvariantCulture);
        var sign = text.StartsWith('-') ? "-" : string.Empty;
        var parts = text[sign.Length..].Split('E');
        var point = parts[0].IndexOf('.') is var at and >= 0 ? at : parts[0].Length;
        point += parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 0;
        var digits = parts[0].Replace(".", string.Empty);
        var significant = digits.TrimStart('0');
        return significant.Length == 0 ? (sign, "0", 1) : (sign, significant.TrimEnd('0'), point - (digits.Length - significant.Length));
    }

    private static string QuoteNames(string text)
    {
        if (!text.Contains("NaN", StringComparison.Ordinal) && !text.Contains("Infinity", StringComparison.Ordinal))
        {
            return text;
        }

        var result = new StringBuilder();
        var inside = false;
        for (var i = 0; i < text.Length; i++)
        {
            var name = inside ? null : Array.Find(["NaN", "-Infinity", "Infinity"], n => string.CompareOrdinal(text, i, n, 0, n.Length) == 0);
            if (name is not null)
            {
                result.Append('"').Append(name).Append('"');
                i += name.Length - 1;
                continue;
            }

            if (text[i] == '\\' && inside)
            {
                result.Append(text[i++]);
            }
            else if (text[i] == '"')
            {
                inside = !inside;
            }

            result.Append(text[i]);
        }

        return result.ToString();
    }

    private static object? Read(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().ToDictionary(p => p.Name, p => Read(p.Value)),
        JsonValueKind.Array => element.EnumerateArray().Select(Read).ToList(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Number when element.GetRawText().AsSpan().IndexOfAny(".eE") < 0 && element.TryGetInt64(out var whole) => whole,
        JsonValueKind.Number => element.GetDouble(),
        JsonValueKind.String => element.GetString() switch
        {
            "NaN" => double.NaN,
            "Infinity" => double.PositiveInfinity,
            "-Infinity" => double.NegativeInfinity,
            var words => words,
        },
        _ => null,
    };
}
