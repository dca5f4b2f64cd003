using System.Globalization;
using System.Text;

namespace Fovea.Evaluation;

/// <summary>Lists as Python prints them, in which tables keep several answers or images in one cell.</summary>
internal sealed class PythonLiteral
{
    private readonly string text;
    private int at;

    private PythonLiteral(string text) => this.text = text;

    /// <summary>The items of a list or tuple of texts and numbers, numbers as they are written; null where the text is no such list.</summary>
    public static IReadOnlyList<string>? List(string text)
    {
        text = PythonText.Trim(text);
        if (text is not (['[', .., ']'] or ['(', .., ')']))
        {
            return null;
        }

        var literal = new PythonLiteral(text);
        return literal.Items() is { } items && literal.at == text.Length ? items : null;
    }

    private List<string>? Items()
    {
        var items = new List<string>();
        var close = text[at++] == '[' ? ']' : ')';
        while (true)
        {
            Blanks();
            if (At(close))
            {
                at++;
                return items;
            }

            if (Item() is not { } item)
            {
                return null;
            }

            items.Add(item);
            Blanks();
            if (At(','))
            {
                at++;
            }
            else if (!At(close))
            {
                return null;
            }
        }
    }

    private bool At(char c) => at < text.Length && text[at] == c;

    private void Blanks()
    {
        while (at < text.Length && PythonText.IsSpace(text[at]))
        {
            at++;
        }
    }

    private string? Item()
    {
        if (At('\'') || At('"'))
        {
            return Quoted();
        }

        var start = at;
        while (at < text.Length && (char.IsAsciiLetterOrDigit(text[at]) || text[at] is '.' or '-' or '+' or '_'))
        {
            at++;
        }

        var word = text[start..at];
        return word is "None" or "True" or "False" || PythonFloat.Parse(word) is not null ? word : null;
    }

    private string? Quoted()
    {
        var quote = text[at++];
        var result = new StringBuilder();
        while (at < text.Length)
        {
            var c = text[at++];
            if (c == quote)
            {
                return result.ToString();
            }

            if (c != '\\')
            {
                result.Append(c);
            }
            else if (at == text.Length || !Escaped(result))
            {
                return null;
            }
        }

        return null;
    }

    private bool Escaped(StringBuilder result)
    {
        var c = text[at++];
        switch (c)
        {
            case 'x' or 'u' or 'U':
                var digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
                if (at + digits > text.Length
                    || !int.TryParse(text.AsSpan(at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code)
                    || (digits == 8 && !Rune.IsValid(code)))
                {
                    return false;
                }

                at += digits;
                result.Append(digits == 8 ? char.ConvertFromUtf32(code) : ((char)code).ToString());
                return true;
            case '\n':
                return true;
            default:
                result.Append(c switch
                {
                    'n' => "\n",
                    't' => "\t",
                    'r' => "\r",
                    'b' => "\b",
                    'f' => "\f",
                    '0' => "\0",
                    '\\' or '\'' or '"' => c.ToString(),
                    _ => $"\\{c}",
                });
                return true;
        }
    }
}
