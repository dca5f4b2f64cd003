namespace Fovea.Models;

/// <summary>
/// Which tokens of a packed micro-batch one of several ranks has: consecutive ones, as many on every rank. Tokens that belong to no sample stand behind the
/// others so that it comes out even; they see none of them and train nothing.
/// </summary>
/// <param name="Tokens">Of the samples.</param>
/// <param name="Ranks">That the tokens are split over.</param>
/// <param name="Rank">Which of them.</param>
internal sealed record TokenShare(int Tokens, int Ranks, int Rank)
{
    /// <summary>All tokens, those of no sample included.</summary>
    public int All => Length * Ranks;

    /// <summary>Tokens of each rank.</summary>
    public int Length => (Tokens + Ranks - 1) / Ranks;

    /// <summary>Where this rank's begin.</summary>
    public int Start => Rank * Length;

    public int End => Start + Length;

    /// <summary>Where samples begin, and last the number of all tokens: those of no sample are one more.</summary>
    public int[] Boundaries(int[] samples) => All == Tokens ? samples : [.. samples, All];

    /// <summary>This rank's part of something that every token has.</summary>
    /// <param name="filler">What tokens of no sample have.</param>
    public T[] Of<T>(ReadOnlySpan<T> tokens, T filler)
    {
        var mine = new T[Length];
        var there = Math.Clamp(Tokens - Start, 0, Length);
        tokens.Slice(Math.Min(Start, Tokens), there).CopyTo(mine);
        mine.AsSpan(there).Fill(filler);
        return mine;
    }

    /// <summary>Which of ascending positions are this rank's: the first of them, and how many.</summary>
    public (int First, int Count) Range(ReadOnlySpan<long> positions)
    {
        var first = Before(positions, Start);
        return (first, Before(positions, End) - first);
    }

    private static int Before(ReadOnlySpan<long> positions, long limit)
    {
        var found = positions.BinarySearch(limit);
        return found < 0 ? ~found : found;
    }
}
