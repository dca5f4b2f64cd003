using System.Globalization;

namespace Fovea.Generation.Constraints;

/// <summary>
/// Reads a regular expression: what ECMAScript, Python and .NET have in common and what a finite automaton can hold. Classes are ASCII, as ECMAScript's are.
/// </summary>
internal sealed class RegexParser
{
    private const int MostDepth = 200;

    private static readonly CodeSet Digits = CodeSet.Of(('0', '9'));
    private static readonly CodeSet Words = CodeSet.Of(('0', '9'), ('A', 'Z'), ('a', 'z'), ('_', '_'));
    private static readonly CodeSet Spaces = CodeSet.Of((' ', ' '), ('\t', '\r'));
    private static readonly CodeSet Dot = CodeSet.Of('\n').Complement();

    private readonly string pattern;
    private readonly string name;
    private int at;
    private int depth;

    private RegexParser(string pattern, string name) => (this.pattern, this.name) = (pattern, name);

    /// <summary>Texts that match from beginning to end.</summary>
    /// <param name="pattern">The expression.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="ConfigException">It is malformed or holds what is not supported.</exception>
    public static RegexNode Whole(string pattern, string name) =>
        new RegexNode.Choice([.. new RegexParser(pattern, name).Top().Select(branch => branch.Node)]);

    /// <summary>Texts that hold a match, as a schema's <c>pattern</c> means it: only anchors bind it to the ends.</summary>
    /// <inheritdoc cref="Whole"/>
    public static RegexNode Search(string pattern, string name)
    {
        var any = new RegexNode.Repeat(new RegexNode.One(CodeSet.All), 0, null);
        return new RegexNode.Choice(
        [
            .. new RegexParser(pattern, name).Top().Select(branch => new RegexNode.Chain(
            [
                .. branch.FromStart ? Array.Empty<RegexNode>() : [any],
                branch.Node,
                .. branch.ToEnd ? Array.Empty<RegexNode>() : [any],
            ])),
        ]);
    }

    private bool AtEnd => at == pattern.Length;

    private List<(RegexNode Node, bool FromStart, bool ToEnd)> Top()
    {
        var branches = new List<(RegexNode, bool, bool)>();
        do
        {
            var fromStart = Take("^") || Take(@"\A");
            var node = Chain(top: true);
            var toEnd = Take("$") || Take(@"\z");
            branches.Add((node, fromStart, toEnd));
        }
        while (Take("|"));

        return AtEnd ? branches : throw Wrong(pattern[at] == ')' ? "a ) closes nothing" : "an anchor stands inside, where only the ends may have one");
    }

    private RegexNode Choice()
    {
        var parts = new List<RegexNode>();
        do
        {
            parts.Add(Chain(top: false));
        }
        while (Take("|"));

        return parts.Count == 1 ? parts[0] : new RegexNode.Choice(parts);
    }

    private RegexNode Chain(bool top)
    {
        var parts = new List<RegexNode>();
        while (!AtEnd && pattern[at] is not ('|' or ')'))
        {
            if (pattern[at] is '^' or '$' || Next(@"\A") || Next(@"\z"))
            {
                return top ? new RegexNode.Chain(parts) : throw Wrong("an anchor stands in a group, where only the ends of the whole may have one");
            }

            parts.Add(Quantified(Atom()));
        }

        return parts.Count == 1 ? parts[0] : new RegexNode.Chain(parts);
    }

    private RegexNode Quantified(RegexNode part)
    {
        while (!AtEnd)
        {
            var start = at;
            if (Quantifier() is not var (least, most))
            {
                break;
            }

            if (least > most)
            {
                throw Wrong($"{pattern[start..at]} asks for at least more than at most");
            }

            if (Take("+"))
            {
                throw Wrong("possessive quantifiers are not supported");
            }

            Take("?"); // which of several matches is found makes no difference
            part = new RegexNode.Repeat(part, least, most);
            if (!AtEnd && (pattern[at] is '*' or '+' or '?'))
            {
                throw Wrong("a quantifier follows another");
            }
        }

        return part;
    }

    private (int Least, int? Most)? Quantifier()
    {
        switch (pattern[at])
        {
            case '*':
                at++;
                return (0, null);
            case '+':
                at++;
                return (1, null);
            case '?':
                at++;
                return (0, 1);
            case '{':
                var end = pattern.IndexOf('}', at);
                var inside = end < 0 ? string.Empty : pattern[(at + 1)..end];
                var parts = inside.Split(',');
                if (parts.Length > 2 || !parts[0].All(char.IsAsciiDigit) || parts[0].Length == 0 || !parts[^1].All(char.IsAsciiDigit))
                {
                    return null; // a brace is a brace where it is no quantifier
                }

                var least = Times(parts[0]);
                int? most = parts.Length == 1 ? least : parts[1].Length == 0 ? null : Times(parts[1]);
                at = end + 1;
                return (least, most);
            default:
                return null;
        }
    }

    private int Times(string digits) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var times) ? times : throw Wrong($"{digits} times is too often");

    private RegexNode Atom()
    {
        switch (pattern[at])
        {
            case '(':
                return Group();
            case '[':
                return new RegexNode.One(Class());
            case '.':
                at++;
                return new RegexNode.One(Dot);
            case '*' or '+' or '?':
                throw Wrong("a quantifier has nothing to repeat");
            case '\\':
                return new RegexNode.One(Escape(inClass: false));
            default:
                return new RegexNode.One(CodeSet.Of(Code()));
        }
    }

    private RegexNode Group()
    {
        at++;
        if (++depth > MostDepth)
        {
            throw Wrong("groups are nested too deep");
        }

        if (Next("?=") || Next("?!") || Next("?<=") || Next("?<!"))
        {
            throw Wrong("lookaround is not supported");
        }

        if (Take("?<") || Take("?P<") || Take("?'"))
        {
            var end = pattern.IndexOfAny(['>', '\''], at);
            at = end < 0 ? throw Wrong("a group's name has no end") : end + 1;
        }
        else if (Next("?") && !Take("?:"))
        {
            throw Wrong($"the group (?{(at + 1 < pattern.Length ? pattern[at + 1] : ' ')} is not supported");
        }

        var node = Choice();
        depth--;
        return Take(")") ? node : throw Wrong("a group has no end");
    }

    private CodeSet Class()
    {
        at++;
        var negated = Take("^");
        if (Next("]"))
        {
            throw Wrong("an empty class means different things to different engines; escape the ]");
        }

        var set = CodeSet.None;
        while (!Take("]"))
        {
            if (AtEnd)
            {
                throw Wrong("a class has no end");
            }

            if (Next("[:") || Next("-["))
            {
                throw Wrong($"{pattern.Substring(at, 2)} in a class is not supported; escape the [");
            }

            var first = Member();
            if (Next("-") && at + 1 < pattern.Length && pattern[at + 1] != ']')
            {
                at++;
                var (low, high) = (Single(first), Single(Member()));
                first = low <= high ? CodeSet.Of((low, high)) : throw Wrong("a range in a class runs backwards");
            }

            set = set.And(first);
        }

        return negated ? set.Complement() : set;
    }

    private int Single(CodeSet member) => member.Ranges is [var (low, high)] && low == high ? low : throw Wrong("a range in a class needs two characters");

    private CodeSet Member() => AtEnd ? throw Wrong("a class has no end") : Next("\\") ? Escape(inClass: true) : CodeSet.Of(Code());

    private CodeSet Escape(bool inClass)
    {
        at++;
        if (AtEnd)
        {
            throw Wrong("it ends in a \\");
        }

        var letter = pattern[at++];
        switch (letter)
        {
            case 'd':
                return Digits;
            case 'D':
                return Digits.Complement();
            case 'w':
                return Words;
            case 'W':
                return Words.Complement();
            case 's':
                return Spaces;
            case 'S':
                return Spaces.Complement();
            case 'n':
                return CodeSet.Of('\n');
            case 'r':
                return CodeSet.Of('\r');
            case 't':
                return CodeSet.Of('\t');
            case 'f':
                return CodeSet.Of('\f');
            case 'v':
                return CodeSet.Of('\v');
            case '0' when AtEnd || !char.IsAsciiDigit(pattern[at]):
                return CodeSet.Of(0);
            case 'b' when inClass:
                return CodeSet.Of('\b');
            case 'x':
                return CodeSet.Of(Hex(2));
            case 'u':
                return CodeSet.Of(Unicode());
            case 'b' or 'B':
                throw Wrong($"the word boundary \\{letter} is not supported");
            case >= '0' and <= '9' or 'k':
                throw Wrong("references to groups are not supported");
            case 'p' or 'P':
                throw Wrong($"Unicode categories (\\{letter}) are not supported; name ranges");
            default:
                return char.IsAsciiLetter(letter) ? throw Wrong($"the escape \\{letter} is not supported") : CodeSet.Of(Code(--at));
        }
    }

    private int Unicode()
    {
        if (Take("{"))
        {
            var end = pattern.IndexOf('}', at);
            var code = end < 0 ? throw Wrong("\\u{ has no end") : Hex(end - at);
            at++;
            return code;
        }

        var high = Hex(4);
        if (char.IsHighSurrogate((char)high) && Take("\\u"))
        {
            var low = Hex(4);
            return char.IsLowSurrogate((char)low) ? char.ConvertToUtf32((char)high, (char)low) : throw Wrong("half a surrogate pair is no character");
        }

        return char.IsSurrogate((char)high) ? throw Wrong("half a surrogate pair is no character") : high;
    }

    private int Hex(int digits)
    {
        if (digits is < 1 or > 6 || at + digits > pattern.Length
            || !int.TryParse(pattern.AsSpan(at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code) || code > CodeSet.Last)
        {
            throw Wrong("an escape needs hexadecimal digits that name a character");
        }

        at += digits;
        return code;
    }

    /// <summary>One character, which may be two of .NET's.</summary>
    private int Code(int from = -1)
    {
        at = from < 0 ? at : from;
        if (char.IsSurrogate(pattern[at]) && (at + 1 == pattern.Length || !char.IsSurrogatePair(pattern, at)))
        {
            throw Wrong("half a surrogate pair is no character");
        }

        var code = char.ConvertToUtf32(pattern, at);
        at += code > char.MaxValue ? 2 : 1;
        return code;
    }

    private bool Next(string text) => string.CompareOrdinal(pattern, at, text, 0, text.Length) == 0;

    private bool Take(string text)
    {
        var next = Next(text);
        at += next ? text.Length : 0;
        return next;
    }

    private ConfigException Wrong(string problem) => new($"{name} {pattern}: at character {at + 1}: {problem}");
}
