using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Fovea.Evaluation;

/// <summary>
/// A regular expression of Python's <c>re</c>, which benchmarks take from their rows: classes of characters and word boundaries mean what they mean there,
/// named groups and possessive quantifiers are rewritten, and no search takes longer than a second.
/// </summary>
internal sealed class PythonPattern
{
    private const string Word = @"\p{L}\p{N}_";
    private const string Space = @"\s\x1c-\x1f";
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);
    private readonly Regex? regex;

    private PythonPattern(Regex? regex) => this.regex = regex;

    /// <summary>Groups that capture, which <c>re.split</c> returns beside the parts.</summary>
    public int Captures => regex is null ? 0 : regex.GetGroupNumbers().Length - 1;

    /// <param name="options">Beside what Python does without flags.</param>
    public static PythonPattern Of(string pattern, RegexOptions options = RegexOptions.None)
    {
        try
        {
            return new PythonPattern(new Regex(Translate(pattern), options | RegexOptions.CultureInvariant, Longest));
        }
        catch (ArgumentException)
        {
            return new PythonPattern(null);
        }
    }

    /// <summary>Matches that do not overlap; null where the pattern is malformed or takes too long.</summary>
    public int? Count(string text)
    {
        try
        {
            return regex?.Count(text);
        }
        catch (RegexMatchTimeoutException)
        {
            return null;
        }
    }

    /// <summary>Whether it is found anywhere; null as with <see cref="Count"/>.</summary>
    public bool? IsIn(string text)
    {
        try
        {
            return regex?.IsMatch(text);
        }
        catch (RegexMatchTimeoutException)
        {
            return null;
        }
    }

    private static string Translate(string pattern)
    {
        var result = new StringBuilder();
        var open = new Stack<int>();
        var atom = -1; // where the atom begins that a quantifier would apply to
        for (var at = 0; at < pattern.Length;)
        {
            var begin = result.Length;
            switch (pattern[at])
            {
                case '\\':
                    result.Append(Escape(pattern, ref at, inClass: false));
                    atom = begin;
                    break;
                case '[':
                    AppendClass(result, pattern, ref at);
                    atom = begin;
                    break;
                case '(':
                    open.Push(begin);
                    AppendOpening(result, pattern, ref at);
                    atom = -1;
                    break;
                case ')':
                    result.Append(pattern[at++]);
                    atom = open.Count > 0 ? open.Pop() : -1;
                    break;
                case '*' or '+' or '?':
                case '{' when IsRange(pattern, at):
                    AppendQuantifier(result, pattern, ref at, atom);
                    break;
                case '{':
                    result.Append(@"\{");
                    at++;
                    atom = begin;
                    break;
                default:
                    result.Append(pattern[at++]);
                    atom = begin;
                    break;
            }
        }

        return result.ToString();
    }

    private static bool IsRange(string pattern, int at) => Range(pattern, at) > 0;

    /// <summary>Length of <c>{2}</c>, <c>{2,}</c>, <c>{,3}</c> or <c>{2,3}</c>; 0 where a brace is a brace.</summary>
    private static int Range(string pattern, int at)
    {
        var end = pattern.IndexOf('}', at);
        if (end < 0)
        {
            return 0;
        }

        var parts = pattern[(at + 1)..end].Split(',');
        var isRange = parts.Length <= 2 && parts.All(part => part.All(char.IsAsciiDigit)) && (parts.Length == 2 || parts[0].Length > 0);
        return isRange ? end - at + 1 : 0;
    }

    private static void AppendQuantifier(StringBuilder result, string pattern, ref int at, int atom)
    {
        var length = Math.Max(1, Range(pattern, at) * (pattern[at] == '{' ? 1 : 0));
        var quantifier = pattern.Substring(at, length).Replace("{,", "{0,", StringComparison.Ordinal);
        at += length;
        if (at < pattern.Length && pattern[at] == '+' && atom >= 0)
        {
            at++;
            result.Insert(atom, "(?>").Append(quantifier).Append(')');
            return;
        }

        result.Append(quantifier);
        if (at < pattern.Length && pattern[at] == '?')
        {
            result.Append(pattern[at++]);
        }
    }

    private static void AppendOpening(StringBuilder result, string pattern, ref int at)
    {
        var rest = pattern.AsSpan(at);
        if (rest.StartsWith("(?P<"))
        {
            result.Append("(?<");
            at += 4;
        }
        else if (rest.StartsWith("(?P=") && pattern.IndexOf(')', at) is var end and > 0)
        {
            result.Append(CultureInfo.InvariantCulture, $"(?:\\k<{pattern[(at + 4)..end]}>");
            at = end;
        }
        else
        {
            result.Append(pattern[at++]);
        }
    }

    private static void AppendClass(StringBuilder result, string pattern, ref int at)
    {
        result.Append(pattern[at++]);
        if (at < pattern.Length && pattern[at] == '^')
        {
            result.Append(pattern[at++]);
        }

        for (var first = true; at < pattern.Length; first = false)
        {
            var c = pattern[at];
            if (c == ']' && !first)
            {
                result.Append(pattern[at++]);
                return;
            }

            if (c == '\\')
            {
                result.Append(Escape(pattern, ref at, inClass: true));
                continue;
            }

            // An opening bracket would subtract a class in .NET.
            result.Append(c is '[' or ']' ? $"\\{c}" : c.ToString());
            at++;
        }
    }

    private static string Escape(string pattern, ref int at, bool inClass)
    {
        if (at + 1 >= pattern.Length)
        {
            throw new ArgumentException("a pattern ends in a backslash");
        }

        var c = pattern[at + 1];
        at += 2;
        return (c, inClass) switch
        {
            ('w', true) => Word,
            ('w', false) => $"[{Word}]",
            ('W', false) => $"[^{Word}]",
            ('s', true) => Space,
            ('s', false) => $"[{Space}]",
            ('S', false) => $"[^{Space}]",
            ('b', false) => $"(?:(?<=[{Word}])(?![{Word}])|(?<![{Word}])(?=[{Word}]))",
            ('B', false) => $"(?:(?<=[{Word}])(?=[{Word}])|(?<![{Word}])(?![{Word}]))",
            ('Z', false) => @"\z",
            _ => $"\\{c}",
        };
    }
}
