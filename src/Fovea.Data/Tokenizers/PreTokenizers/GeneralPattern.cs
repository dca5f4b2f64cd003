using System.Globalization;
using System.Text.RegularExpressions;

namespace Fovea.Data.Tokenizers;

/// <summary>
/// A regular expression that has no scanner in <see cref="PiecePattern"/>, matched by .NET's engine. That engine sees UTF-16 units, so a code point
/// beyond U+FFFF is shown to it as one character of the same general category that the expression does not name: what else it can ask for is the same.
/// </summary>
internal sealed class GeneralPattern
{
    // Any sane expression needs microseconds; one that tries every way to cut a text would never end.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly string expression;
    private readonly Regex regex;
    private readonly Dictionary<UnicodeCategory, char> standIns = [];
    private readonly char circled;

    private GeneralPattern(string expression, TimeSpan patience)
    {
        this.expression = expression;
        var (pattern, named) = PatternTranslator.Translate(expression);
        regex = new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.Compiled, patience);
        for (var c = '\u0080'; c < char.MaxValue; c++)
        {
            if (!named.Any(range => c >= range.From && c <= range.To))
            {
                circled = IsCircled(c) ? c : circled;
                _ = IsCircled(c) || IsWordNumber(c) || standIns.TryAdd(char.GetUnicodeCategory(c), c);
            }
        }

        CheckStandIns();
    }

    /// <exception cref="FormatException">The expression has something that is not supported, or is none.</exception>
    internal static GeneralPattern Of(string expression, TimeSpan? patience = null)
    {
        try
        {
            return new GeneralPattern(expression, patience ?? Patience);
        }
        catch (RegexParseException e)
        {
            throw new FormatException(e.Message, e);
        }
    }

    /// <summary>Cuts a text into its matches and what lies between them; together they are the text.</summary>
    /// <exception cref="PatternTimeoutException">The expression does not come to an end on this text.</exception>
    internal List<(int Start, int End, bool Match)> Cut(ReadOnlySpan<char> text)
    {
        if (text.IndexOfAnyInRange('\uD800', '\uDFFF') < 0)
        {
            return CutUnits(text);
        }

        var shown = new char[text.Length];
        var places = new int[text.Length + 1];
        var count = 0;
        for (var i = 0; i < text.Length; i++)
        {
            places[count] = i;
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                shown[count++] = StandIn(char.ConvertToUtf32(text[i], text[i + 1]));
                i++;
            }
            else
            {
                shown[count++] = text[i];
            }
        }

        places[count] = text.Length;
        var parts = CutUnits(shown.AsSpan(0, count));
        for (var i = 0; i < parts.Count; i++)
        {
            parts[i] = (places[parts[i].Start], places[parts[i].End], parts[i].Match);
        }

        return parts;
    }

    private List<(int Start, int End, bool Match)> CutUnits(ReadOnlySpan<char> text)
    {
        var parts = new List<(int, int, bool)>();
        var end = 0;
        var matched = -1;
        try
        {
            foreach (var match in regex.EnumerateMatches(text))
            {
                // As Oniguruma's users do: an empty match right behind another one counts for nothing.
                if (match.Length == 0 && match.Index == matched)
                {
                    continue;
                }

                if (match.Index > end)
                {
                    parts.Add((end, match.Index, false));
                }

                matched = end = match.Index + match.Length;
                parts.Add((match.Index, end, true));
            }
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new PatternTimeoutException(
                $"the tokenizer's expression {expression} did not come to an end within {regex.MatchTimeout.TotalSeconds:0.###} s "
                + $"on a text of {text.Length} characters", e);
        }

        if (end < text.Length)
        {
            parts.Add((end, text.Length, false));
        }

        return parts;
    }

    /// <summary>Letters in circles and squares: symbols, and part of words.</summary>
    private static bool IsCircled(int codePoint) => codePoint is (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169)
        or (>= 0x1F170 and <= 0x1F189);

    /// <summary>The numbers of category No that are part of words outside of sets.</summary>
    private static bool IsWordNumber(char c) => c is '\u00B2' or '\u00B3' or '\u00B9' or (>= '\u00BC' and <= '\u00BE');

    private char StandIn(int codePoint) => IsCircled(codePoint) ? circled : standIns[CharUnicodeInfo.GetUnicodeCategory(codePoint)];

    /// <summary>Beyond U+FFFF there are letters, marks, numbers, punctuation, symbols, formats, private and unassigned code points.</summary>
    private void CheckStandIns()
    {
        for (var codePoint = 0x10000; codePoint <= 0x10FFFF; codePoint++)
        {
            if (IsCircled(codePoint) ? circled == '\0' : !standIns.ContainsKey(CharUnicodeInfo.GetUnicodeCategory(codePoint)))
            {
                throw new FormatException($"it names every character below U+10000 that could stand for U+{codePoint:X}");
            }
        }
    }
}
