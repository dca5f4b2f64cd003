using System.Text;

namespace Fovea.Data.Templates.Jinja;

/// <summary>
/// Cuts a template into tokens as Jinja does with the settings of Transformers: <c>trim_blocks</c> and <c>lstrip_blocks</c>, no line statements, and the
/// last line break of the template is dropped.
/// </summary>
internal sealed class Lexer
{
    // Longest first.
    private static readonly string[] Signs =
    [
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
    ];

    private readonly string source;
    private readonly List<Token> tokens = [];
    private int at;
    private int line = 1;
    private int counted;
    private bool lineStarts = true;

    private Lexer(string text)
    {
        source = text.ReplaceLineEndings("\n");
        source = source.EndsWith('\n') ? source[..^1] : source;
    }

    /// <summary>The tokens of a template; the last is its end.</summary>
    /// <exception cref="TemplateException">Something is not closed or is no token.</exception>
    public static List<Token> Read(string text)
    {
        var lexer = new Lexer(text);
        lexer.ReadAll();
        return lexer.tokens;
    }

    private void ReadAll()
    {
        while (Opening(at) is var open && open >= 0)
        {
            var text = source[at..open];
            var (kind, sign) = (source[open + 1], open + 2 < source.Length ? source[open + 2] : '\0');
            AddData(Before(text, sign, isOutput: kind == '{'));
            at = open + (sign is '-' or '+' ? 3 : 2);
            lineStarts = false;
            switch (kind)
            {
                case '#':
                    SkipComment(open);
                    break;
                case '%' when RawEnd() is { } raw:
                    ReadRaw(raw);
                    break;
                default:
                    ReadCode(open, isOutput: kind == '{');
                    break;
            }
        }

        AddData(source[at..]);
        at = source.Length;
        Add(TokenKind.End, string.Empty, at);
    }

    private int Opening(int from)
    {
        for (var i = source.IndexOf('{', from); i >= 0 && i + 1 < source.Length; i = source.IndexOf('{', i + 1))
        {
            if (source[i + 1] is '{' or '%' or '#')
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>What is left of the text before a tag.</summary>
    private string Before(string text, char sign, bool isOutput)
    {
        if (sign == '-')
        {
            return PyText.TrimEnd(text);
        }

        if (sign == '+' || isOutput)
        {
            return text;
        }

        var start = text.LastIndexOf('\n') + 1;
        return (start > 0 || lineStarts) && text.AsSpan(start).ToString().All(PyText.IsSpace) ? text[..start] : text;
    }

    private void SkipComment(int open)
    {
        var end = source.IndexOf("#}", at, StringComparison.Ordinal);
        if (end < 0)
        {
            throw new TemplateException("the comment is not closed", LineOf(open));
        }

        var sign = end > at ? source[end - 1] : '\0';
        at = end + 2;
        Close(sign, trims: true);
    }

    /// <summary>Behind a closing tag: what is skipped of what follows.</summary>
    private void Close(char sign, bool trims)
    {
        var from = at;
        if (sign == '-')
        {
            while (at < source.Length && PyText.IsSpace(source[at]))
            {
                at++;
            }
        }
        else if (sign != '+' && trims && at < source.Length && source[at] == '\n')
        {
            at++;
        }

        lineStarts = at > from && source[at - 1] == '\n';
    }

    /// <summary>Where the text of a raw block begins, if one is opened here: behind its tag, and the sign before the tag's end.</summary>
    private (int End, char Sign)? RawEnd(string name = "raw")
    {
        var i = SkipSpaces(at);
        if (string.CompareOrdinal(source, i, name, 0, name.Length) != 0)
        {
            return null;
        }

        i = SkipSpaces(i + name.Length);
        var sign = i < source.Length && (source[i] == '-' || (source[i] == '+' && name != "raw")) ? source[i] : '\0';
        i += sign == '\0' ? 0 : 1;
        return string.CompareOrdinal(source, i, "%}", 0, 2) == 0 ? (i + 2, sign) : null;
    }

    private int SkipSpaces(int from)
    {
        while (from < source.Length && PyText.IsSpace(source[from]))
        {
            from++;
        }

        return from;
    }

    private void ReadRaw((int End, char Sign) opened)
    {
        var open = at;
        at = opened.End;
        Close(opened.Sign, trims: false);
        var from = at;
        for (var end = source.IndexOf("{%", from, StringComparison.Ordinal); end >= 0; end = source.IndexOf("{%", end + 2, StringComparison.Ordinal))
        {
            var sign = end + 2 < source.Length ? source[end + 2] : '\0';
            at = end + (sign is '-' or '+' ? 3 : 2);
            if (RawEnd("endraw") is { } closed)
            {
                AddData(Before(source[from..end], sign, isOutput: false));
                at = closed.End;
                Close(closed.Sign, trims: true);
                return;
            }
        }

        throw new TemplateException("'raw' is not closed", LineOf(open));
    }

    private void ReadCode(int open, bool isOutput)
    {
        Add(isOutput ? TokenKind.OutputBegin : TokenKind.BlockBegin, source.Substring(open, 2), open);
        var (end, kind) = isOutput ? ("}}", TokenKind.OutputEnd) : ("%}", TokenKind.BlockEnd);
        var brackets = new Stack<char>();
        while (true)
        {
            at = SkipSpaces(at);
            if (at >= source.Length)
            {
                throw new TemplateException($"'{source.Substring(open, 2)}' is not closed", LineOf(open));
            }

            var sign = source[at] == '-' || (source[at] == '+' && !isOutput) ? source[at] : '\0';
            var behind = sign == '\0' ? at : at + 1;
            if (brackets.Count == 0 && string.CompareOrdinal(source, behind, end, 0, 2) == 0)
            {
                Add(kind, end, at);
                at = behind + 2;
                Close(sign, trims: !isOutput);
                return;
            }

            ReadToken(brackets);
        }
    }

    private void ReadToken(Stack<char> brackets)
    {
        var (from, c) = (at, source[at]);
        if (c is '\'' or '"')
        {
            Add(TokenKind.Text, ReadText(c), from);
        }
        else if (char.IsAsciiDigit(c))
        {
            ReadNumber();
        }
        else if (char.IsLetter(c) || c == '_')
        {
            while (at < source.Length && (char.IsLetterOrDigit(source[at]) || source[at] == '_'))
            {
                at++;
            }

            Add(TokenKind.Name, source[from..at], from);
        }
        else if (Array.Find(Signs, s => string.CompareOrdinal(source, at, s, 0, s.Length) == 0) is { } sign)
        {
            if (sign is "(" or "[" or "{")
            {
                brackets.Push(sign[0] == '(' ? ')' : sign[0] == '[' ? ']' : '}');
            }
            else if (sign is ")" or "]" or "}" && !(brackets.TryPop(out var expected) && expected == sign[0]))
            {
                throw new TemplateException($"'{sign}' closes nothing that is open", LineOf(at));
            }

            Add(TokenKind.Operator, sign, from);
            at += sign.Length;
        }
        else
        {
            throw new TemplateException($"'{c}' has no meaning here", LineOf(at));
        }
    }

    private void ReadNumber()
    {
        var from = at;
        if (source[at] == '0' && at + 1 < source.Length && source[at + 1] is 'x' or 'X' or 'o' or 'O' or 'b' or 'B')
        {
            throw new TemplateException("numbers that are not decimal are not supported", LineOf(at));
        }

        SkipDigits();
        var kind = TokenKind.Integer;
        if (at + 1 < source.Length && source[at] == '.' && char.IsAsciiDigit(source[at + 1]))
        {
            at++;
            SkipDigits();
            kind = TokenKind.Float;
        }

        if (at + 1 < source.Length && source[at] is 'e' or 'E')
        {
            var digits = source[at + 1] is '+' or '-' ? at + 2 : at + 1;
            if (digits < source.Length && char.IsAsciiDigit(source[digits]))
            {
                at = digits;
                SkipDigits();
                kind = TokenKind.Float;
            }
        }

        Add(kind, source[from..at].Replace("_", string.Empty, StringComparison.Ordinal), from);
    }

    private void SkipDigits()
    {
        while (at < source.Length && (char.IsAsciiDigit(source[at]) || (source[at] == '_' && at + 1 < source.Length && char.IsAsciiDigit(source[at + 1]))))
        {
            at++;
        }
    }

    private string ReadText(char quote)
    {
        var from = at++;
        var text = new StringBuilder();
        while (at < source.Length && source[at] != quote)
        {
            if (source[at] == '\\' && at + 1 < source.Length)
            {
                at++;
                ReadEscape(text);
            }
            else
            {
                text.Append(source[at++]);
            }
        }

        if (at >= source.Length)
        {
            throw new TemplateException("a text in quotes is not closed", LineOf(from));
        }

        at++;
        return text.ToString();
    }

    private void ReadEscape(StringBuilder text)
    {
        var c = source[at++];
        const string letters = "abfnrtv\\'\"\n";
        const string means = "\a\b\f\n\r\t\v\\'\"";
        if (c is 'x' or 'u' or 'U')
        {
            var digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
            if (at + digits > source.Length || !source.AsSpan(at, digits).ToString().All(char.IsAsciiHexDigit))
            {
                throw new TemplateException($"\\{c} needs {digits} hexadecimal digits", LineOf(at));
            }

            var code = Convert.ToUInt32(source.Substring(at, digits), 16);
            at += digits;
            _ = Rune.IsValid(code) ? text.Append(new Rune(code).ToString())
                : code <= char.MaxValue ? text.Append((char)code) : throw new TemplateException($"\\{c} names no character", LineOf(at));
        }
        else if (c is >= '0' and <= '7' or 'N')
        {
            throw new TemplateException($"the escape \\{c} is not supported", LineOf(at));
        }
        else if (letters.IndexOf(c, StringComparison.Ordinal) is var i && i >= 0)
        {
            text.Append(i < means.Length ? means[i].ToString() : string.Empty);
        }
        else
        {
            text.Append('\\').Append(c);
        }
    }

    private void AddData(string text)
    {
        if (text.Length > 0)
        {
            Add(TokenKind.Data, text, at);
        }
    }

    private void Add(TokenKind kind, string text, int position) => tokens.Add(new Token(kind, text, LineOf(position)));

    private int LineOf(int position)
    {
        position = Math.Min(position, source.Length);
        if (position >= counted)
        {
            line += source.AsSpan(counted, position - counted).Count('\n');
        }
        else
        {
            line -= source.AsSpan(position, counted - position).Count('\n');
        }

        counted = position;
        return line;
    }
}
