using System.Buffers;

namespace Fovea.Data.Tokenizers;

/// <summary>Finds added tokens in a text: at the leftmost place where any matches, the longest.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly Dictionary<(int Node, char Unit), int> edges = [];
    private readonly List<AddedToken?> ends = [null];
    private readonly SearchValues<char> firstUnits;

    internal AddedTokenMatcher(IEnumerable<(string Text, AddedToken Token)> tokens)
    {
        var firsts = new HashSet<char>();
        foreach (var (text, token) in tokens)
        {
            if (text.Length == 0)
            {
                continue;
            }

            firsts.Add(text[0]);
            var node = 0;
            foreach (var unit in text)
            {
                if (!edges.TryGetValue((node, unit), out var child))
                {
                    child = ends.Count;
                    ends.Add(null);
                    edges.Add((node, unit), child);
                }

                node = child;
            }

            ends[node] ??= token;
        }

        firstUnits = SearchValues.Create([.. firsts]);
        IsEmpty = firsts.Count == 0;
    }

    internal bool IsEmpty { get; }

    /// <summary>The first token at or after <paramref name="from"/>, with the white space that it takes.</summary>
    /// <param name="from">End of the token before; white space is not taken across it.</param>
    internal AddedToken? Find(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        var search = from;
        while (search < text.Length)
        {
            var skip = text[search..].IndexOfAny(firstUnits);
            if (skip < 0)
            {
                break;
            }

            start = search + skip;
            var token = Longest(text, start, out end);
            if (token is null)
            {
                search = start + 1;
            }
            else if (token.SingleWord && !StandsAlone(text, start, end))
            {
                search = end;
            }
            else
            {
                while (token.StripLeft && start > from && CodePoints.IsSpace(text[start - 1]))
                {
                    start--;
                }

                while (token.StripRight && end < text.Length && CodePoints.IsSpace(text[end]))
                {
                    end++;
                }

                return token;
            }
        }

        start = end = text.Length;
        return null;
    }

    private AddedToken? Longest(ReadOnlySpan<char> text, int start, out int end)
    {
        AddedToken? found = null;
        end = start;
        var node = 0;
        for (var i = start; i < text.Length && edges.TryGetValue((node, text[i]), out node); i++)
        {
            if (ends[node] is { } token)
            {
                (found, end) = (token, i + 1);
            }
        }

        return found;
    }

    private static bool StandsAlone(ReadOnlySpan<char> text, int start, int end) =>
        (start == 0 || (CodePoints.ClassBefore(text, start) & CodePoints.Word) == 0)
        && (end == text.Length || (CodePoints.ClassAt(text, end, out _) & CodePoints.Word) == 0);
}
