using System.Globalization;
using System.Text;

namespace Fovea.Models.Peft;

/// <summary>Writes JSON in the layout of Python's <c>json.dumps(value, indent=2, sort_keys=True)</c>, so that files compare equal line by line.</summary>
internal static class PythonJson
{
    /// <param name="value">Null, bool, int, long, double, string, a sequence of strings, or a dictionary with such values.</param>
    public static string Dump(object? value)
    {
        var text = new StringBuilder();
        Append(text, value, 0);
        return text.ToString();
    }

    private static void Append(StringBuilder text, object? value, int depth)
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
            case double number:
                text.Append(Number(number));
                break;
            case string word:
                AppendText(text, word);
                break;
            case IReadOnlyDictionary<string, object?> members:
                var pairs = members.OrderBy(pair => pair.Key, StringComparer.Ordinal).ToList();
                AppendItems(text, '{', '}', depth, pairs, pair =>
                {
                    AppendText(text, pair.Key);
                    text.Append(": ");
                    Append(text, pair.Value, depth + 1);
                });
                break;
            case IEnumerable<string> words:
                AppendItems(text, '[', ']', depth, words.ToList(), word => AppendText(text, word));
                break;
            default:
                throw new ArgumentException($"{value.GetType().Name} has no form in JSON here");
        }
    }

    private static void AppendItems<T>(StringBuilder text, char open, char close, int depth, List<T> items, Action<T> append)
    {
        text.Append(open);
        for (var i = 0; i < items.Count; i++)
        {
            text.Append(i == 0 ? "\n" : ",\n").Append(' ', (depth + 1) * 2);
            append(items[i]);
        }

        if (items.Count > 0)
        {
            text.Append('\n').Append(' ', depth * 2);
        }

        text.Append(close);
    }

    // Python marks floats: 0.0, not 0; its exponents are lower case with two digits.
    private static string Number(double number)
    {
        var digits = number.ToString("R", CultureInfo.InvariantCulture).Replace("E", "e", StringComparison.Ordinal);
        return digits.AsSpan().ContainsAny('.', 'e') ? digits : $"{digits}.0";
    }

    private static void AppendText(StringBuilder text, string word)
    {
        text.Append('"');
        foreach (var c in word)
        {
            _ = c switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                < ' ' or > '~' => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => text.Append(c),
            };
        }

        text.Append('"');
    }
}
