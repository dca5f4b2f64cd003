namespace Fovea.Data.Tokenizers;

/// <summary>Cuts by any regular expression, in every way that the reference has of keeping what it matched.</summary>
internal sealed class RegexPreTokenizer(GeneralPattern pattern, SplitBehavior behavior, bool invert, PreTokenizer next) : PreTokenizer
{
    internal override void Run(ReadOnlySpan<char> piece, bool atStart, List<int> into)
    {
        foreach (var (start, end) in Pieces(piece))
        {
            next.Run(piece[start..end], atStart && start == 0, into);
        }
    }

    /// <summary>The parts that are kept, none of them empty.</summary>
    internal List<(int Start, int End)> Pieces(ReadOnlySpan<char> piece)
    {
        var parts = pattern.Cut(piece);
        if (behavior == SplitBehavior.MergedWithNext)
        {
            parts.Reverse();
        }

        var kept = new List<(int Start, int End)>(parts.Count);
        var before = false;
        foreach (var (start, end, match) in parts)
        {
            var delimiter = match != invert;
            var joins = behavior switch
            {
                SplitBehavior.MergedWithPrevious or SplitBehavior.MergedWithNext => delimiter && !before,
                SplitBehavior.Contiguous => delimiter == before,
                _ => false,
            };
            if (joins && kept.Count > 0)
            {
                kept[^1] = (Math.Min(kept[^1].Start, start), Math.Max(kept[^1].End, end));
            }
            else if (behavior != SplitBehavior.Removed || !delimiter)
            {
                kept.Add((start, end));
            }

            before = delimiter;
        }

        if (behavior == SplitBehavior.MergedWithNext)
        {
            kept.Reverse();
        }

        kept.RemoveAll(part => part.Start == part.End);
        return kept;
    }
}
