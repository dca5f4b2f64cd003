namespace Fovea.Data.Tokenizers;

/// <summary>
/// The regular expressions that most published tokenizers split by, matched by hand on code points: much faster than <see cref="GeneralPattern"/>, which
/// takes all others.
/// </summary>
internal sealed class PiecePattern
{
    private const string Cl100kHead = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|";
    private const string Cl100kTail = @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    // A mark that could stand before letters, as what is neither letter nor number may, goes with them in any case.
    private const string WithMarks = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
        + @"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>ByteLevel's own expression (GPT-2).</summary>
    internal static readonly PiecePattern Gpt2 = new(gpt2: true, int.MaxValue, marks: false);

    private static readonly Dictionary<string, PiecePattern> Known = new()
    {
        [Cl100kHead + @"\p{N}" + Cl100kTail] = new(gpt2: false, 1, marks: false),
        [Cl100kHead + @"\p{N}{1,3}" + Cl100kTail] = new(gpt2: false, 3, marks: false),
        [WithMarks] = new(gpt2: false, 1, marks: true),
        [@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"] = Gpt2,
    };

    private readonly bool gpt2;
    private readonly int maxDigits;
    private readonly bool marks;

    /// <param name="marks">Whether combining marks are as letters.</param>
    private PiecePattern(bool gpt2, int maxDigits, bool marks) => (this.gpt2, this.maxDigits, this.marks) = (gpt2, maxDigits, marks);

    /// <summary>The expressions that have a scanner.</summary>
    internal static IReadOnlyCollection<string> Expressions => Known.Keys;

    /// <summary>The matcher of an expression, or null where it is none of the known ones.</summary>
    internal static PiecePattern? Find(string expression) => Known.GetValueOrDefault(expression);

    /// <summary>Length in UTF-16 units (at least 1) of the match at the start of a text that is not empty. These expressions match everywhere.</summary>
    internal int MatchLength(ReadOnlySpan<char> text)
    {
        var contraction = text[0] == '\'' ? ContractionLength(text) : 0;
        if (contraction > 0)
        {
            return contraction;
        }

        return gpt2 ? MatchGpt2(text) : MatchCl100k(text);
    }

    private int MatchGpt2(ReadOnlySpan<char> text)
    {
        var kind = CodePoints.ClassAt(text, 0, out var width);
        if (text[0] == ' ' && text.Length > 1)
        {
            var after = CodePoints.ClassAt(text, 1, out var nextWidth);
            if ((after & CodePoints.Space) == 0)
            {
                return RunEnd(text, 1 + nextWidth, Kind(after));
            }
        }

        return (kind & CodePoints.Space) != 0 ? SpaceLength(text) : RunEnd(text, width, Kind(kind));
    }

    private int MatchCl100k(ReadOnlySpan<char> text)
    {
        var kind = Kind(CodePoints.ClassAt(text, 0, out var width));
        if (kind == CodePoints.Letter)
        {
            return RunEnd(text, width, kind);
        }

        if (kind == CodePoints.Number)
        {
            var end = width;
            for (var digits = 1; digits < maxDigits && end < text.Length && Kind(CodePoints.ClassAt(text, end, out width)) == kind; digits++)
            {
                end += width;
            }

            return end;
        }

        var lineEnd = text[0] is '\r' or '\n';
        var nextKind = width < text.Length ? Kind(CodePoints.ClassAt(text, width, out _)) : CodePoints.Space;
        if (!lineEnd && nextKind == CodePoints.Letter)
        {
            return RunEnd(text, width, nextKind);
        }

        if (kind == 0 || text[0] == ' ' && nextKind == 0)
        {
            var end = RunEnd(text, width, 0);
            while (end < text.Length && text[end] is '\r' or '\n')
            {
                end++;
            }

            return end;
        }

        var run = 1;
        while (run < text.Length && CodePoints.IsSpace(text[run]))
        {
            run++;
        }

        var lastLineEnd = text[..run].LastIndexOfAny('\r', '\n');
        return lastLineEnd >= 0 ? lastLineEnd + 1 : SpaceLength(text[..Math.Min(run + 1, text.Length)]);
    }

    /// <summary>\s+(?!\S)|\s+ : a run of white space without its last character, if something else follows.</summary>
    private static int SpaceLength(ReadOnlySpan<char> text)
    {
        var run = 1;
        while (run < text.Length && CodePoints.IsSpace(text[run]))
        {
            run++;
        }

        return run == text.Length || run == 1 ? run : run - 1;
    }

    private int RunEnd(ReadOnlySpan<char> text, int from, byte kind)
    {
        while (from < text.Length && Kind(CodePoints.ClassAt(text, from, out var width)) == kind)
        {
            from += width;
        }

        return from;
    }

    private byte Kind(byte bits) => marks && (bits & CodePoints.Mark) != 0
        ? CodePoints.Letter
        : (byte)(bits & (CodePoints.Letter | CodePoints.Number | CodePoints.Space));

    /// <summary>'s 't 're 've 'm 'll 'd; without regard to case (and U+017F, which folds to s) in the newer expressions. 0 for none.</summary>
    private int ContractionLength(ReadOnlySpan<char> text)
    {
        if (text.Length < 2)
        {
            return 0;
        }

        var first = Fold(text[1]);
        if (first is 's' or 't' or 'm' or 'd')
        {
            return 2;
        }

        var second = text.Length > 2 ? Fold(text[2]) : '\0';
        return (first, second) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
    }

    private char Fold(char c) => gpt2 ? c : c == '\u017F' ? 's' : char.IsAsciiLetterUpper(c) ? (char)(c | 0x20) : c;
}
