using System.Buffers;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Fovea.Evaluation.IfEval;

/// <summary>
/// Splits a text into sentences as NLTK's punkt does (Kiss and Strunk 2006). The model that NLTK trains on newspapers is not part of this: without it nothing
/// is known of which words are abbreviations and which are written small elsewhere. In its place stand common English abbreviations, which punkt without a
/// model would take for ends of sentences, and common words that begin a sentence behind one. Texts without abbreviations are split as by that punkt.
/// </summary>
internal static partial class Sentences
{
    private static readonly HashSet<string> Abbreviations = new(StringComparer.Ordinal)
    {
        "mr", "mrs", "ms", "dr", "prof", "sr", "jr", "st", "rep", "sen", "gov", "gen", "lt", "col", "sgt", "capt", "maj", "adm", "messrs", "hon", "rev",
        "inc", "ltd", "corp", "co", "cos", "bros", "vs", "u.s", "u.k", "u.n", "u.s.s.r", "d.c", "n.y", "n.j", "n.h", "a.m", "p.m", "ph.d", "m.d", "b.a", "m.a",
        "jan", "feb", "aug", "sept", "oct", "nov", "dec", "tues", "wed", "thurs", "fri", "calif", "conn", "fla", "ga", "minn", "okla", "ore", "pa", "va",
        "wis", "mass", "colo", "ariz", "ala", "ct", "vt", "j.p", "j.r", "w.w", "e.g", "i.e",
    };

    // After an abbreviation they begin a sentence when they are written with a capital.
    private static readonly HashSet<string> Starters = new(StringComparer.Ordinal)
    {
        "the", "a", "an", "he", "she", "it", "we", "they", "you", "this", "that", "these", "those", "there", "here", "but", "and", "or", "so", "if", "when",
        "while", "as", "at", "by", "for", "from", "in", "of", "on", "to", "with", "after", "before", "our", "my", "his", "her", "its", "their", "your",
        "what", "who", "how", "why", "where", "some", "many", "most", "all", "no", "not", "however", "then", "now", "is", "are", "was", "were",
    };

    private static readonly SearchValues<char> Blanks = SearchValues.Create(" \t\n\r\v\f");

    /// <summary>The sentences without the blanks between them.</summary>
    public static List<string> Split(string text)
    {
        var result = new List<string>();
        var slices = Slices(text);
        var realign = 0;
        for (var i = 0; i < slices.Count; i++)
        {
            var start = Math.Min(slices[i].Start + realign, text.Length);
            var end = Math.Max(start, slices[i].End);
            if (i + 1 < slices.Count)
            {
                // Quotes and brackets that close behind the mark belong to the sentence before.
                var (nextStart, nextEnd) = slices[i + 1];
                var closing = Closing().Match(text[nextStart..Math.Max(nextStart, nextEnd)]);
                if (closing.Success)
                {
                    result.Add(text[start..(nextStart + PythonText.TrimEnd(closing.Value).Length)]);
                    realign = closing.Length;
                    continue;
                }

                realign = 0;
            }

            if (end > start)
            {
                result.Add(text[start..end]);
            }
        }

        return result;
    }

    private static List<(int Start, int End)> Slices(string text)
    {
        var slices = new List<(int, int)>();
        var start = 0;
        foreach (var (mark, context) in Candidates(text))
        {
            if (Ends(context))
            {
                slices.Add((start, mark.Index + 1));
                var next = mark.Groups["next"];
                start = next.Success ? next.Index : mark.Index + 1;
            }
        }

        slices.Add((start, PythonText.TrimEnd(text).Length));
        return slices;
    }

    /// <summary>Marks that could end a sentence, the last of those in one word, with the word and what follows.</summary>
    private static IEnumerable<(Match Mark, string Context)> Candidates(string text)
    {
        Match? last = null;
        var (wordStart, wordEnd) = (0, 0);
        foreach (Match mark in EndMark().Matches(text))
        {
            var blank = text.AsSpan(wordEnd, mark.Index - wordEnd).LastIndexOfAny(Blanks);
            var start = blank > 0 ? wordEnd + blank + 1 : wordStart;
            if (last is not null && wordEnd <= start)
            {
                yield return (last, Context(last));
            }

            last = mark;
            (wordStart, wordEnd) = (start, mark.Index);
        }

        if (last is not null)
        {
            yield return (last, Context(last));
        }

        string Context(Match mark) => text[wordStart..wordEnd] + mark.Value + mark.Groups["after"].Value;
    }

    private static bool Ends(string context)
    {
        var words = context.Split('\n').SelectMany(line => Word().Matches(line).Select(match => match.Value)).ToList();
        for (var i = 0; i < words.Count - 1; i++)
        {
            if (EndsSentence(words[i], words[i + 1]))
            {
                return true;
            }
        }

        return false;
    }

    private static bool EndsSentence(string word, string next)
    {
        if (word is "." or "?" or "!")
        {
            return true;
        }

        if (!word.EndsWith('.') || word.EndsWith("..", StringComparison.Ordinal))
        {
            return false;
        }

        if (Initial().IsMatch(word))
        {
            return !IsMark(next) && !StartsLower(next) && !char.IsUpper(next[0]);
        }

        var plain = word[..^1].ToLowerInvariant();
        return Abbreviations.Contains(plain) || Abbreviations.Contains(plain.Split('-')[^1])
            ? char.IsUpper(next[0]) && Starters.Contains(next.TrimEnd('.').ToLowerInvariant())
            : !IsInside(word, next);
    }

    /// <summary>A number with a point, and what cannot begin a sentence behind it.</summary>
    private static bool IsInside(string word, string next) =>
        Number().IsMatch(word.ToLowerInvariant()) && (IsMark(next) || StartsLower(next));

    private static bool IsMark(string word) => word is ";" or ":" or "," or "." or "!" or "?";

    private static bool StartsLower(string word) => CharUnicodeInfo.GetUnicodeCategory(word, 0) == UnicodeCategory.LowercaseLetter;

    [GeneratedRegex("""[.?!](?=(?<after>[)";}\]*:@'({\[!?]|[\s\x1c-\x1f]+(?<next>[^\s\x1c-\x1f]+)))""", RegexOptions.CultureInvariant)]
    private static partial Regex EndMark();

    [GeneratedRegex(
        """
        (?:-{2,}|\.{2,}|(?:\.[\s\x1c-\x1f]){2,}\.)
        |(?=[^("`{\[:;&\#*@)}\]\-,])[^\s\x1c-\x1f]+?
            (?=[\s\x1c-\x1f]|$|[)";}\]*:@'({\[!?]|-{2,}|\.{2,}|(?:\.[\s\x1c-\x1f]){2,}\.
            |,(?=$|[\s\x1c-\x1f]|[)";}\]*:@'({\[!?]|-{2,}|\.{2,}|(?:\.[\s\x1c-\x1f]){2,}\.))
        |[^\s\x1c-\x1f]
        """,
        RegexOptions.CultureInvariant | RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Word();

    [GeneratedRegex("""\G["')\]}]+?(?:[\s\x1c-\x1f]+|(?=--)|$)""", RegexOptions.CultureInvariant | RegexOptions.Multiline)]
    private static partial Regex Closing();

    [GeneratedRegex(@"^-?[.,]?\d[\d,.-]*\.?$", RegexOptions.CultureInvariant)]
    private static partial Regex Number();

    [GeneratedRegex(@"^[\p{L}\p{Nl}\p{No}_]\.$", RegexOptions.CultureInvariant)]
    private static partial Regex Initial();
}
