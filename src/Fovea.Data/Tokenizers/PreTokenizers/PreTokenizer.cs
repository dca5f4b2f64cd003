namespace Fovea.Data.Tokenizers;

/// <summary>One stage that cuts a piece of text and hands the parts to the next stage; the last stage is the model. Immutable, so threads share it.</summary>
internal abstract class PreTokenizer
{
    /// <param name="piece">Text without lone surrogates.</param>
    /// <param name="atStart">Whether the piece begins where the whole text begins.</param>
    /// <param name="into">Token ids are appended here.</param>
    internal abstract void Run(ReadOnlySpan<char> piece, bool atStart, List<int> into);
}

/// <summary>Cuts by one of the known expressions and keeps every part.</summary>
internal sealed class PatternPreTokenizer(PiecePattern pattern, PreTokenizer next) : PreTokenizer
{
    internal override void Run(ReadOnlySpan<char> piece, bool atStart, List<int> into)
    {
        while (!piece.IsEmpty)
        {
            var length = pattern.MatchLength(piece);
            next.Run(piece[..length], atStart, into);
            piece = piece[length..];
            atStart = false;
        }
    }
}

/// <summary>Puts a space before a piece that has none; the bytes themselves are the model's business.</summary>
internal sealed class PrefixSpacePreTokenizer(PreTokenizer next) : PreTokenizer
{
    internal override void Run(ReadOnlySpan<char> piece, bool atStart, List<int> into) =>
        next.Run(piece.IsEmpty || piece[0] == ' ' ? piece : string.Concat(" ", piece), atStart, into);
}

/// <summary>Spaces become the replacement (U+2581 as a rule), with one put in front by the scheme, and each word starts with it.</summary>
internal sealed class MetaspacePreTokenizer(char replacement, MetaspacePrefix prefix, bool split, PreTokenizer next) : PreTokenizer
{
    internal override void Run(ReadOnlySpan<char> piece, bool atStart, List<int> into)
    {
        if (piece.IsEmpty)
        {
            return;
        }

        var text = piece.ToString().Replace(' ', replacement);
        if (text[0] != replacement && (prefix == MetaspacePrefix.Always || prefix == MetaspacePrefix.First && atStart))
        {
            text = replacement + text;
        }

        var rest = text.AsSpan();
        while (!rest.IsEmpty)
        {
            var at = split ? rest[1..].IndexOf(replacement) : -1;
            var length = at < 0 ? rest.Length : at + 1;
            next.Run(rest[..length], atStart, into);
            rest = rest[length..];
            atStart = false;
        }
    }
}

/// <summary>When <see cref="MetaspacePreTokenizer"/> puts its character in front.</summary>
internal enum MetaspacePrefix
{
    Always,
    First,
    Never,
}

/// <summary>Parts runs of digits (Unicode N) from the rest, or each digit by itself.</summary>
internal sealed class DigitsPreTokenizer(bool individual, PreTokenizer next) : PreTokenizer
{
    internal override void Run(ReadOnlySpan<char> piece, bool atStart, List<int> into)
    {
        while (!piece.IsEmpty)
        {
            var digit = (CodePoints.ClassAt(piece, 0, out var length) & CodePoints.Number) != 0;
            while (length < piece.Length && !(digit && individual))
            {
                if (((CodePoints.ClassAt(piece, length, out var width) & CodePoints.Number) != 0) != digit)
                {
                    break;
                }

                length += width;
            }

            next.Run(piece[..length], atStart, into);
            piece = piece[length..];
            atStart = false;
        }
    }
}

/// <summary>Cuts at a plain string.</summary>
internal sealed class StringPreTokenizer(string pattern, SplitBehavior behavior, PreTokenizer next) : PreTokenizer
{
    internal override void Run(ReadOnlySpan<char> piece, bool atStart, List<int> into)
    {
        var from = 0;
        var search = 0;
        while (search < piece.Length)
        {
            var found = piece[search..].IndexOf(pattern, StringComparison.Ordinal);
            if (found < 0)
            {
                break;
            }

            var start = search + found;
            var end = start + pattern.Length;
            var first = behavior == SplitBehavior.MergedWithPrevious ? end : start;
            Emit(piece, from, first, atStart, into);
            if (behavior == SplitBehavior.Isolated)
            {
                Emit(piece, start, end, atStart, into);
            }

            from = behavior == SplitBehavior.MergedWithNext ? start : end;
            search = end;
        }

        Emit(piece, from, piece.Length, atStart, into);
    }

    private void Emit(ReadOnlySpan<char> piece, int from, int to, bool atStart, List<int> into)
    {
        if (to > from)
        {
            next.Run(piece[from..to], atStart && from == 0, into);
        }
    }
}

/// <summary>Where the text that a <see cref="StringPreTokenizer"/> or a <see cref="RegexPreTokenizer"/> cuts at goes.</summary>
internal enum SplitBehavior
{
    Isolated,
    Removed,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}
