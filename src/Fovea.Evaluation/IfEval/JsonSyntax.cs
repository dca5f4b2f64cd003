namespace Fovea.Evaluation.IfEval;

/// <summary>
/// Whether Python's <c>json.loads</c> takes a text. It differs from JSON: NaN, Infinity and -Infinity are numbers, keys may stand twice, halves of surrogate
/// pairs may be escaped.
/// </summary>
internal sealed class JsonSyntax
{
    // Deeper than this Python gives up with an error of its own.
    private const int Deepest = 900;
    private readonly string text;
    private int at;

    private JsonSyntax(string text) => this.text = text;

    public static bool IsValid(string text)
    {
        var syntax = new JsonSyntax(text);
        syntax.Blanks();
        if (!syntax.Value(0))
        {
            return false;
        }

        syntax.Blanks();
        return syntax.at == text.Length;
    }

    private void Blanks()
    {
        while (at < text.Length && text[at] is ' ' or '\t' or '\n' or '\r')
        {
            at++;
        }
    }

    private bool Value(int depth)
    {
        if (at >= text.Length || depth > Deepest)
        {
            return false;
        }

        return text[at] switch
        {
            '"' => String(),
            '{' => All('}', depth, isObject: true),
            '[' => All(']', depth, isObject: false),
            't' => Take("true"),
            'f' => Take("false"),
            'n' => Take("null"),
            'N' => Take("NaN"),
            'I' => Take("Infinity"),
            '-' when at + 1 < text.Length && text[at + 1] == 'I' => Take("-Infinity"),
            _ => Number(),
        };
    }

    private bool Take(string word)
    {
        var isThere = text.AsSpan(at).StartsWith(word);
        at += isThere ? word.Length : 0;
        return isThere;
    }

    private bool All(char close, int depth, bool isObject)
    {
        at++;
        Blanks();
        if (at < text.Length && text[at] == close)
        {
            at++;
            return true;
        }

        while (true)
        {
            Blanks();
            if (isObject)
            {
                if (at >= text.Length || text[at] != '"' || !String())
                {
                    return false;
                }

                Blanks();
                if (!Take(":"))
                {
                    return false;
                }

                Blanks();
            }

            if (!Value(depth + 1))
            {
                return false;
            }

            Blanks();
            if (Take(close.ToString()))
            {
                return true;
            }

            if (!Take(","))
            {
                return false;
            }
        }
    }

    private bool String()
    {
        for (at++; at < text.Length; at++)
        {
            switch (text[at])
            {
                case '"':
                    at++;
                    return true;
                case < ' ':
                    return false;
                case '\\':
                    at++;
                    if (at >= text.Length || !Escape())
                    {
                        return false;
                    }

                    break;
            }
        }

        return false;
    }

    private bool Escape()
    {
        if (text[at] != 'u')
        {
            return text[at] is '"' or '\\' or '/' or 'b' or 'f' or 'n' or 'r' or 't';
        }

        if (at + 4 >= text.Length || !text.Skip(at + 1).Take(4).All(char.IsAsciiHexDigit))
        {
            return false;
        }

        at += 4;
        return true;
    }

    private bool Number()
    {
        at += text[at] == '-' ? 1 : 0;
        if (at < text.Length && text[at] == '0')
        {
            at++;
        }
        else if (!Digits())
        {
            return false;
        }

        // A point or an exponent without digits is left over, which makes the text no JSON.
        var mark = at;
        if (at < text.Length && text[at] == '.')
        {
            at++;
            at = Digits() ? at : mark;
        }

        mark = at;
        if (at < text.Length && text[at] is 'e' or 'E')
        {
            at++;
            at += at < text.Length && text[at] is '+' or '-' ? 1 : 0;
            at = Digits() ? at : mark;
        }

        return true;
    }

    private bool Digits()
    {
        var start = at;
        while (at < text.Length && char.IsAsciiDigit(text[at]))
        {
            at++;
        }

        return at > start;
    }
}
