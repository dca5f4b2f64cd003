using System.Globalization;
using System.Text;

namespace Fovea.Data.Tokenizers;

/// <summary>
/// Rewrites an expression of Hugging Face's tokenizers, which is Oniguruma's syntax over code points, for .NET's engine, which sees UTF-16 units and
/// reads some signs otherwise. What has no equal there is refused with its name, never read as something else.
/// </summary>
internal sealed class PatternTranslator
{
    private const int DeepestGroup = 100;

    // Oniguruma's \w: beside the categories also letters in circles and squares (GeneralPattern shows those beyond U+FFFF as one of the circled ones), and
    // outside of sets, where it looks into another table, some numbers of Latin-1.
    private const string WordSet = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u24B6-\u24E9";
    private const string WordAlone = WordSet + @"\u00B2\u00B3\u00B9\u00BC-\u00BE";
    private const string WordChar = $"[{WordAlone}]";

    private static readonly Dictionary<string, string> LongNames = new(StringComparer.Ordinal)
    {
        ["letter"] = "L", ["mark"] = "M", ["number"] = "N", ["punctuation"] = "P", ["symbol"] = "S", ["separator"] = "Z", ["other"] = "C",
        ["uppercaseletter"] = "Lu", ["lowercaseletter"] = "Ll", ["titlecaseletter"] = "Lt", ["modifierletter"] = "Lm", ["otherletter"] = "Lo",
        ["decimalnumber"] = "Nd", ["letternumber"] = "Nl", ["othernumber"] = "No", ["nonspacingmark"] = "Mn", ["spacingmark"] = "Mc",
    };

    private static readonly HashSet<string> Categories = new(StringComparer.Ordinal)
    {
        "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
        "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Co", "Cn",
    };

    private readonly string source;
    private readonly List<(char From, char To)> named = [];
    private int at;
    private int depth;

    private PatternTranslator(string source) => this.source = source;

    /// <param name="expression">As <c>tokenizer.json</c> has it.</param>
    /// <returns>The expression for .NET, and the characters that it names one by one or in ranges.</returns>
    /// <exception cref="FormatException">Something in it is not supported.</exception>
    internal static (string Pattern, IReadOnlyList<(char From, char To)> Named) Translate(string expression)
    {
        var translator = new PatternTranslator(expression);
        var pattern = translator.Alternatives(fold: false);
        return translator.at == expression.Length ? (pattern, translator.named) : throw new FormatException("a ) closes no group");
    }

    private string Alternatives(bool fold)
    {
        if (++depth > DeepestGroup)
        {
            throw new FormatException($"groups are nested more than {DeepestGroup} deep");
        }

        if (Take("(?i)"))
        {
            fold = true;
        }

        var output = new StringBuilder(Sequence(fold));
        while (Take("|"))
        {
            output.Append('|').Append(Sequence(fold));
        }

        depth--;
        return output.ToString();
    }

    private string Sequence(bool fold)
    {
        var output = new StringBuilder();
        var before = '\0';
        while (at < source.Length && source[at] is not ('|' or ')'))
        {
            var atom = Atom(fold, out var literal, out var repeats);
            output.Append(Quantified(atom, repeats));

            // One character may fold to two letters (U+00DF to ss, U+FB01 to fi): Oniguruma finds it, .NET would not.
            var letter = fold ? char.ToLowerInvariant(literal) : '\0';
            if ((before, letter) is ('s', 's') or ('s', 't') or ('f', 'f') or ('f', 'i') or ('f', 'l'))
            {
                throw new FormatException($"\"{before}{letter}\" without regard to case");
            }

            before = letter;
        }

        return output.ToString();
    }

    private string Quantified(string atom, bool repeats)
    {
        var start = at;
        if (!Quantifier(out var quantifier, out var interval))
        {
            return atom;
        }

        if (!repeats)
        {
            throw Refuse(start, "after a position");
        }

        var exact = interval && !quantifier.Contains(',', StringComparison.Ordinal);
        if (Take("?"))
        {
            // Oniguruma reads {n}? as "n times or not at all", .NET as "n times".
            return exact ? throw Refuse(start, "which engines read in two ways") : Single(atom + quantifier + "?");
        }

        if (Take("+"))
        {
            // After an interval the plus is no possessive sign but one more repetition.
            atom = interval ? $"(?:{atom}{quantifier})+" : $"(?>{atom}{quantifier})";
            return Single(atom);
        }

        return Single(atom + quantifier);
    }

    private string Single(string repeated)
    {
        var start = at;
        return Quantifier(out _, out _) ? throw Refuse(start, "after another quantifier") : repeated;
    }

    private bool Quantifier(out string quantifier, out bool interval)
    {
        (quantifier, interval) = (string.Empty, false);
        if (at == source.Length)
        {
            return false;
        }

        if (source[at] is '*' or '+' or '?')
        {
            quantifier = source[at++].ToString();
            return true;
        }

        if (source[at] != '{')
        {
            return false;
        }

        var end = source.IndexOf('}', at);
        var parts = end < 0 ? [] : source[(at + 1)..end].Split(',');
        var low = parts.Length > 0 && parts[0].Length == 0 && parts.Length == 2 && parts[1].Length > 0 ? 0 : Whole(parts.ElementAtOrDefault(0));
        var high = parts.Length == 2 && parts[1].Length > 0 ? Whole(parts[1]) : low;
        if (parts.Length is not (1 or 2) || low is null || high is null || low > high)
        {
            throw Refuse(at, "which is no number of repetitions");
        }

        quantifier = parts.Length == 1 ? $"{{{low}}}" : parts[1].Length == 0 ? $"{{{low},}}" : $"{{{low},{high}}}";
        at = end + 1;
        interval = true;
        return true;
    }

    private static int? Whole(string? digits) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= 100_000 ? number : null;

    /// <param name="literal">The character that it stands for, where it is a single one.</param>
    /// <param name="repeats">Whether a quantifier may follow.</param>
    private string Atom(bool fold, out char literal, out bool repeats)
    {
        (literal, repeats) = ('\0', true);
        var start = at;
        switch (source[at])
        {
            case '(':
                return Group(fold, out repeats);
            case '[':
                return Set(fold);
            case '\\':
                return Escape(fold, out literal, out repeats);
            case '.':
                at++;
                return @"[^\n]";
            case '^':
                at++;
                repeats = false;
                return @"(?:\A|(?<=\n)(?!\z))";
            case '$':
                at++;
                repeats = false;
                return @"(?=\n|\z)";
            case '*' or '+' or '?' or '{':
                throw Refuse(start, "with nothing to repeat");
            default:
                literal = Literal();
                return One(literal, fold);
        }
    }

    private string Group(bool fold, out bool repeats)
    {
        var start = at;
        repeats = true;
        var inner = fold;
        var open = "(?:";
        if (Take("(?:"))
        {
        }
        else if (Take("(?i:"))
        {
            inner = true;
        }
        else if (Take("(?-i:"))
        {
            inner = false;
        }
        else if (new[] { "(?=", "(?!", "(?<=", "(?<!", "(?>" }.FirstOrDefault(Take) is { } kind)
        {
            open = kind;
            repeats = kind == "(?>";
        }
        else if (At("(?"))
        {
            throw Refuse(start, "a group of this kind");
        }
        else
        {
            at++;
        }

        var body = Alternatives(inner);
        return Take(")") ? $"{open}{body})" : throw new FormatException("a ( is not closed");
    }

    private string Escape(bool fold, out char literal, out bool repeats)
    {
        (literal, repeats) = ('\0', true);
        if (Class(fold, WordAlone) is { } set)
        {
            return set.Negated ? $"[^{set.Members}]" : $"[{set.Members}]";
        }

        var sign = at + 1 < source.Length ? source[at + 1] : '\0';
        var position = sign switch
        {
            'b' => $"(?:(?<={WordChar})(?!{WordChar})|(?<!{WordChar})(?={WordChar}))",
            'B' => $"(?:(?<={WordChar})(?={WordChar})|(?<!{WordChar})(?!{WordChar}))",
            'A' => @"\A",
            'z' => @"\z",
            'Z' => @"(?=\n?\z)",
            _ => null,
        };
        if (position is not null)
        {
            at += 2;
            repeats = false;
            return position;
        }

        literal = Literal();
        return One(literal, fold);
    }

    private string Set(bool fold)
    {
        var start = at++;
        var negated = Take("^");
        var members = new StringBuilder();
        if (At("]"))
        {
            throw Refuse(start, "a set that begins with ]");
        }

        while (!Take("]"))
        {
            if (at == source.Length)
            {
                throw new FormatException("a [ is not closed");
            }

            if (source[at] == '[' || At("&&"))
            {
                throw new FormatException(source[at] == '[' ? "a set within a set" : "&& (what two sets share)");
            }

            if (Class(fold) is { } set)
            {
                members.Append(set.Negated ? throw new FormatException("a complement of several classes within a set") : set.Members);
                if (At("-") && !At("-]"))
                {
                    throw Refuse(at, "after a class");
                }

                continue;
            }

            var from = Literal();
            if (!At("-") || At("-]"))
            {
                Add(members, from, from, fold);
                continue;
            }

            at++;
            var to = At("[") || Class(fold) is not null ? throw Refuse(start, "a range that ends in a class") : Literal();
            Add(members, from, to >= from ? to : throw Refuse(start, "a range that runs backwards"), fold);
        }

        return $"[{(negated ? "^" : string.Empty)}{members}]";
    }

    /// <summary>A class escape as members of a set; null, with nothing taken, where there is none. Only \W is a complement.</summary>
    private (string Members, bool Negated)? Class(bool fold, string word = WordSet)
    {
        if (at + 1 >= source.Length || source[at] != '\\')
        {
            return null;
        }

        (string, bool)? found = source[at + 1] switch
        {
            's' => (@"\s", false),
            'S' => (@"\S", false),
            'd' => (@"\p{Nd}", false),
            'D' => (@"\P{Nd}", false),
            'w' => (word, false),
            'W' => (word, true),
            _ => null,
        };
        if (found is null)
        {
            return source[at + 1] is 'p' or 'P' ? (Property(fold), false) : null;
        }

        at += 2;
        return found;
    }

    private string Property(bool fold)
    {
        var end = At(source[at..(at + 2)] + "{") ? source.IndexOf('}', at) : -1;
        if (end < 0)
        {
            throw Refuse(at, "a property without braces");
        }

        var name = source[(at + 3)..end];
        var negated = source[at + 1] == 'P';
        if (name.StartsWith('^'))
        {
            negated = !negated;
            name = name[1..];
        }

        var plain = name.Replace("_", string.Empty, StringComparison.Ordinal).Replace(" ", string.Empty, StringComparison.Ordinal).ToLowerInvariant();
        var category = LongNames.GetValueOrDefault(plain) ?? Categories.FirstOrDefault(known => known.Equals(plain, StringComparison.OrdinalIgnoreCase));
        if (category is null)
        {
            throw new FormatException($"the property {source[at..(end + 1)]} (general categories such as \\p{{Lu}} are supported)");
        }

        if (fold && category is "Lu" or "Ll" or "Lt")
        {
            throw new FormatException($"the property {source[at..(end + 1)]} without regard to case");
        }

        at = end + 1;
        return $"\\{(negated ? 'P' : 'p')}{{{category}}}";
    }

    /// <summary>One character, written as itself or by an escape.</summary>
    private char Literal()
    {
        var start = at;
        var c = source[at++];
        if (char.IsSurrogate(c))
        {
            throw new FormatException("a character beyond U+FFFF");
        }

        if (c != '\\')
        {
            return c;
        }

        if (at == source.Length)
        {
            throw new FormatException("a backslash at the end");
        }

        c = source[at++];
        switch (c)
        {
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'f':
                return '\f';
            case 'v':
                return '\v';
            case 'a':
                return '\a';
            case 'e':
                return '\u001b';
            case 'u':
                return Hexadecimal(start, Math.Min(4, source.Length - at), 4);
            case 'x' when At("{"):
                at++;
                var end = source.IndexOf('}', at);
                var code = Hexadecimal(start, end < 0 ? 0 : end - at, 1);
                at++;
                return code;
            case 'x':
                var value = Hexadecimal(start, Math.Min(2, source.Length - at), 2);
                return value < 0x80 ? value : throw Refuse(start, "a byte of a character");
            default:
                return char.IsAsciiLetterOrDigit(c) || char.IsSurrogate(c) ? throw Refuse(start, "an escape of this kind") : c;
        }
    }

    private char Hexadecimal(int start, int digits, int least)
    {
        if (digits < least || !int.TryParse(source.AsSpan(at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code)
            || code is < 0 or (>= 0xD800 and <= 0xDFFF))
        {
            throw Refuse(start, "which is no character");
        }

        at += digits;
        return code <= char.MaxValue ? (char)code : throw new FormatException("a character beyond U+FFFF");
    }

    private string One(char c, bool fold)
    {
        var members = new StringBuilder();
        Add(members, c, c, fold);
        return $"[{members}]";
    }

    /// <summary>Adds a range to a set; without regard to case also the other case of its letters, as Oniguruma has them.</summary>
    private void Add(StringBuilder members, char from, char to, bool fold)
    {
        Append(from, to);
        if (!fold)
        {
            return;
        }

        for (int c = from; c <= to; c++)
        {
            if (char.IsAsciiLetter((char)c))
            {
                Append((char)(c ^ 0x20), (char)(c ^ 0x20));
                if ((c | 0x20) is 's' or 'k')
                {
                    var sign = (c | 0x20) == 's' ? '\u017F' : '\u212A';
                    Append(sign, sign);
                }
            }
            else if (char.ToLowerInvariant((char)c) != (char)c || char.ToUpperInvariant((char)c) != (char)c)
            {
                throw new FormatException($"U+{c:X4} without regard to case");
            }
        }

        void Append(char first, char last)
        {
            named.Add((first, last));
            members.Append(CultureInfo.InvariantCulture, $"\\u{(int)first:X4}");
            if (last > first)
            {
                members.Append(CultureInfo.InvariantCulture, $"-\\u{(int)last:X4}");
            }
        }
    }

    private bool At(string text) => string.CompareOrdinal(source, at, text, 0, text.Length) == 0;

    private bool Take(string text)
    {
        var there = At(text);
        at += there ? text.Length : 0;
        return there;
    }

    private FormatException Refuse(int start, string what)
    {
        var end = Math.Min(Math.Max(at, start + 4), source.Length);
        return new FormatException($"{source[start..end]} ({what})");
    }
}
