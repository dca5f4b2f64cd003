using System.Buffers;
using System.Globalization;

namespace Fovea.Evaluation.Captions;

/// <summary>
/// Tokenises captions as pycocoevalcap does, by Penn Treebank rules in one run over all of them (<see cref="PtbRules"/>), in lower case, without the marks
/// that its list names. What follows a caption is seen: "plan B." ends in the letter alone when the next caption begins with "The".
/// </summary>
internal static class PtbTokenizer
{
    // Brackets are in the original's list too, but in capitals, after all has been made lower: they stay.
    private static readonly HashSet<string> Dropped = ["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"];

    private static readonly SearchValues<char> LineEnds = SearchValues.Create("\n\r\v\f\u0085\u2028\u2029");

    // The only letters whose neighbour makes two words of one.
    private static readonly HashSet<string> Assimilated = new(StringComparer.OrdinalIgnoreCase) { "cannot", "gonna", "gotta", "lemme", "gimme", "wanna" };

    /// <summary>The captions as they are scored: words with single blanks between them.</summary>
    public static string[] Tokenize(IReadOnlyList<string> captions) =>
        [.. Lines(captions).Select(line => string.Join(' ', line.Where(token => !Dropped.Contains(token))))];

    /// <summary>All tokens of each caption, marks included.</summary>
    internal static List<string>[] Lines(IReadOnlyList<string> captions)
    {
        var lines = new List<string>[captions.Count];
        var text = string.Join('\n', captions.Select(OneLine));
        for (int line = 0, at = 0; line < lines.Length; line++, at++)
        {
            lines[line] = [];
            while (at < text.Length && text[at] != '\n')
            {
                at = Next(text, at, lines[line]);
            }
        }

        return lines;
    }

    /// <summary>
    /// Whatever would end a line becomes a blank. The original does so for line feeds alone, and after any other end of a line it gives captions to the
    /// wrong images; that is not followed.
    /// </summary>
    private static string OneLine(string caption) =>
        caption.AsSpan().ContainsAny(LineEnds) ? string.Concat(caption.Select(c => LineEnds.Contains(c) ? ' ' : c)) : caption;

    private static int Next(string text, int at, List<string> tokens)
    {
        if (IsBlank(text[at]))
        {
            return at + 1;
        }

        if (Plain(text, at) is var end && end > at)
        {
            tokens.Add(text[at..end].ToLowerInvariant());
            return end;
        }

        var (length, longest) = (0, 0);
        PtbRule? best = null;
        foreach (var rule in PtbRules.All)
        {
            var (token, all) = rule.Match(text, at);
            if (all > longest)
            {
                (best, length, longest) = (rule, token, all);
            }
        }

        if (best is not null)
        {
            Add(best.Make(text.Substring(at, length)), tokens);
            return at + length;
        }

        if (IsSymbol(text[at]))
        {
            tokens.Add(text[at].ToString());
        }

        return at + 1;
    }

    private static void Add(string token, List<string> tokens)
    {
        // The one capital whose small letter the runtime does not know.
        token = token.Replace("\u00AD", string.Empty).Replace('\u2019', '\'').Replace("\u0130", "i\u0307").ToLowerInvariant();
        tokens.AddRange(token.Split(' ', StringSplitOptions.RemoveEmptyEntries));
    }

    /// <summary>
    /// Most of a caption needs no rules: letters with a blank behind them, a comma or full stop that stands apart. Returns where they end, the place itself
    /// if the rules must be asked.
    /// </summary>
    private static int Plain(string text, int at)
    {
        var end = at;
        while (end < text.Length && char.IsAsciiLetter(text[end]))
        {
            end++;
        }

        if (end > at)
        {
            return EndsAt(text, end) && !Assimilated.Contains(text[at..end]) ? end : at;
        }

        var isApart = text[at] is ',' or '.' && (at + 1 == text.Length || text[at + 1] == '\n'
            || (text[at + 1] == ' ' && at + 2 < text.Length && char.IsAsciiLetter(text[at + 2])));
        return isApart ? at + 1 : at;
    }

    private static bool EndsAt(string text, int end) => end == text.Length || text[end] is ' ' or '\n'
        || (text[end] == ',' && (end + 1 == text.Length || text[end + 1] is ' ' or '\n'));

    private static bool IsBlank(char c) => c is ' ' or '\t' or '\u00A0' or (>= '\u2000' and <= '\u200A') or '\u3000';

    /// <summary>What no rule names is a token of its own if it is a symbol or mark, and is dropped otherwise.</summary>
    private static bool IsSymbol(char c) => char.GetUnicodeCategory(c) is not (UnicodeCategory.Surrogate or UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.OtherNotAssigned or UnicodeCategory.PrivateUse or UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark);
}
