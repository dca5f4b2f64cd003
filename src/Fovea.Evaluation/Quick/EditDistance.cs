using System.Text;

namespace Fovea.Evaluation.Quick;

/// <summary>Levenshtein's distance between texts, in characters as Python counts them.</summary>
internal static class EditDistance
{
    // Their capitals are written with more letters, which the original counts.
    private static readonly Dictionary<char, int> Longer = new()
    {
        ['ß'] = 1, ['ŉ'] = 1, ['ǰ'] = 1, ['ΐ'] = 2, ['ΰ'] = 2, ['և'] = 1, ['ẖ'] = 1, ['ẗ'] = 1, ['ẘ'] = 1, ['ẙ'] = 1, ['ẚ'] = 1,
        ['ﬀ'] = 1, ['ﬁ'] = 1, ['ﬂ'] = 1, ['ﬃ'] = 2, ['ﬄ'] = 2, ['ﬅ'] = 1, ['ﬆ'] = 1,
    };

    /// <summary>Without regard to case and runs of blanks, over the length of the longer raw text; 0 for two empty texts.</summary>
    public static double Normalised(string expected, string answer)
    {
        var length = Math.Max(CapitalLength(expected), CapitalLength(answer));
        return length == 0 ? 0 : Between(Plain(expected), Plain(answer)) / (double)length;
    }

    public static int Between(Rune[] a, Rune[] b)
    {
        var before = Enumerable.Range(0, a.Length + 1).ToArray();
        var row = new int[a.Length + 1];
        for (var j = 0; j < b.Length; j++)
        {
            row[0] = j + 1;
            for (var i = 0; i < a.Length; i++)
            {
                row[i + 1] = a[i] == b[j] ? before[i] : 1 + Math.Min(before[i], Math.Min(before[i + 1], row[i]));
            }

            (before, row) = (row, before);
        }

        return before[^1];
    }

    private static Rune[] Plain(string text) => [.. string.Join(' ', PythonText.Words(text.ToLowerInvariant())).EnumerateRunes()];

    private static int CapitalLength(string text) => PythonCase.Length(text) + text.Sum(c => Longer.GetValueOrDefault(c));
}
