using System.Globalization;
using System.Text;

namespace Fovea.Data.Templates.Jinja;

/// <summary>Texts as Python sees them: made of code points, and <c>str()</c> and <c>repr()</c> of values.</summary>
internal static class PyText
{
    /// <summary>What Python takes for white space.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';

    public static string TrimEnd(string text)
    {
        var end = text.Length;
        while (end > 0 && IsSpace(text[end - 1]))
        {
            end--;
        }

        return text[..end];
    }

    public static string TrimStart(string text)
    {
        var start = 0;
        while (start < text.Length && IsSpace(text[start]))
        {
            start++;
        }

        return text[start..];
    }

    /// <summary>Code points of a text.</summary>
    public static int Length(string text)
    {
        var pairs = 0;
        for (var i = 1; i < text.Length; i++)
        {
            pairs += char.IsSurrogatePair(text[i - 1], text[i]) ? 1 : 0;
        }

        return text.Length - pairs;
    }

    /// <summary>The code points of a text, each as a text.</summary>
    public static IReadOnlyList<object?> Characters(Work work, string text)
    {
        work.ChargeItems(Length(text));
        var characters = new List<object?>(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            var isPair = i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]);
            characters.Add(isPair ? text.Substring(i++, 2) : text[i].ToString());
        }

        return characters;
    }

    /// <summary><c>str(value)</c>; an undefined value is empty.</summary>
    public static string Of(Work work, object? value)
    {
        switch (value)
        {
            case string text:
                return text;
            case Undefined:
                return string.Empty;
            default:
                var written = new StringBuilder();
                Write(work, written, value);
                return work.Charge(written.ToString());
        }
    }

    /// <summary><c>repr(value)</c>.</summary>
    public static string Repr(Work work, object? value)
    {
        var written = new StringBuilder();
        Write(work, written, value);
        return work.Charge(written.ToString());
    }

    private static void Write(Work work, StringBuilder text, object? value)
    {
        work.Enter();
        if (text.Length > work.Limits.Characters)
        {
            work.Charge(text.ToString());
        }

        switch (value)
        {
            case null:
                text.Append("None");
                break;
            case bool flag:
                text.Append(flag ? "True" : "False");
                break;
            case long whole:
                text.Append(whole.ToString(CultureInfo.InvariantCulture));
                break;
            case double real:
                text.Append(double.IsFinite(real) ? PythonJson.Float(real) : double.IsNaN(real) ? "nan" : real > 0 ? "inf" : "-inf");
                break;
            case string words:
                Quote(text, work.Charge(words));
                break;
            case Undefined:
                text.Append("Undefined");
                break;
            case PyList list:
                WriteAll(work, text, list.IsTuple ? '(' : '[', list.Items, list.IsTuple ? (list.Items.Count == 1 ? ",)" : ")") : "]");
                break;
            case PyRange range:
                text.Append(CultureInfo.InvariantCulture, $"range({range.Start}, {range.Stop}");
                text.Append(range.Step == 1 ? ")" : string.Create(CultureInfo.InvariantCulture, $", {range.Step})"));
                break;
            case DictView view:
                text.Append(view.TypeName).Append('(');
                WriteAll(work, text, '[', view.Items(), "]");
                text.Append(')');
                break;
            case PyDict dict:
                WriteDict(work, text, dict);
                break;
            default:
                throw new ValueException($"a value of type '{PyType.Name(value)}' cannot be written");
        }

        work.Leave();
    }

    private static void WriteAll(Work work, StringBuilder text, char open, IReadOnlyList<object?> items, string close)
    {
        text.Append(open);
        for (var i = 0; i < items.Count; i++)
        {
            text.Append(i == 0 ? string.Empty : ", ");
            Write(work, text, items[i]);
        }

        text.Append(close);
    }

    private static void WriteDict(Work work, StringBuilder text, PyDict dict)
    {
        text.Append('{');
        var separator = string.Empty;
        foreach (var (key, value) in dict.Pairs)
        {
            text.Append(separator);
            Write(work, text, key);
            text.Append(": ");
            Write(work, text, value);
            separator = ", ";
        }

        text.Append('}');
    }

    private static void Quote(StringBuilder text, string words)
    {
        var quote = words.Contains('\'') && !words.Contains('"') ? '"' : '\'';
        text.Append(quote);
        for (var i = 0; i < words.Length; i++)
        {
            var isPair = i + 1 < words.Length && char.IsSurrogatePair(words[i], words[i + 1]);
            var code = isPair ? char.ConvertToUtf32(words[i], words[++i]) : words[i];
            _ = code switch
            {
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                '\\' => text.Append("\\\\"),
                _ when code == quote => text.Append('\\').Append(quote),
                _ when IsPrintable(code) => isPair ? text.Append(char.ConvertFromUtf32(code)) : text.Append((char)code),
                < 0x100 => text.Append(CultureInfo.InvariantCulture, $"\\x{code:x2}"),
                < 0x10000 => text.Append(CultureInfo.InvariantCulture, $"\\u{code:x4}"),
                _ => text.Append(CultureInfo.InvariantCulture, $"\\U{code:x8}"),
            };
        }

        text.Append(quote);
    }

    private static bool IsPrintable(int code) => code == ' ' || (code is < 0xD800 or > 0xDFFF && CharUnicodeInfo.GetUnicodeCategory(code) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator));
}
