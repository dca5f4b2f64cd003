using System.Text;

namespace Fovea.Evaluation.Texts;

/// <summary>
/// Splits text into words as <c>jieba.cut</c> of jieba 0.42.1 does in its default mode: the likeliest words of the dictionary, and between them new words
/// (<see cref="NewWords"/>). Runs of Latin letters and digits are words; every other character, blanks included, stands alone.
/// </summary>
internal static class ChineseWords
{
    public static List<string> Cut(string text)
    {
        var words = new List<string>();
        for (var at = 0; at < text.Length;)
        {
            var start = at;
            while (at < text.Length && IsOfWords(text[at]))
            {
                at++;
            }

            if (at > start)
            {
                CutRun(text[start..at], words);
                continue;
            }

            var length = text.AsSpan(at).StartsWith("\r\n") || char.IsSurrogatePair(text, at) ? 2 : 1;
            words.Add(text.Substring(at, length));
            at += length;
        }

        return words;
    }

    private static bool IsHan(char c) => c is >= '\u4E00' and <= '\u9FD5';

    private static bool IsOfWords(char c) => IsHan(c) || char.IsAsciiLetterOrDigit(c) || c is '+' or '#' or '&' or '.' or '_' or '%' or '-';

    private static void CutRun(string run, List<string> words)
    {
        var ends = LikeliestEnds(run);
        var loose = new StringBuilder();
        for (var at = 0; at < run.Length; at = ends[at])
        {
            if (ends[at] - at == 1)
            {
                loose.Append(run[at]);
                continue;
            }

            AddLoose(loose, words);
            words.Add(run[at..ends[at]]);
        }

        AddLoose(loose, words);
    }

    /// <summary>For each place, where the first word of the likeliest split from there ends.</summary>
    private static int[] LikeliestEnds(string run)
    {
        var dictionary = WordFrequencies.Shared;
        var score = new double[run.Length + 1];
        var ends = new int[run.Length];
        for (var at = run.Length - 1; at >= 0; at--)
        {
            // A character that begins no word of the dictionary counts once.
            (score[at], ends[at]) = (score[at + 1] - dictionary.LogTotal, at + 1);
            var isFirst = true;
            for (int end = at, node = 0; end < run.Length && (node = dictionary.Next(node, run[end])) > 0; end++)
            {
                if (dictionary[node] == 0)
                {
                    continue;
                }

                // The longer of equally likely words.
                var here = Math.Log(dictionary[node]) - dictionary.LogTotal + score[end + 1];
                if (isFirst || here >= score[at])
                {
                    (score[at], ends[at], isFirst) = (here, end + 1, false);
                }
            }
        }

        return ends;
    }

    /// <summary>Characters that the dictionary left alone, in a row.</summary>
    private static void AddLoose(StringBuilder loose, List<string> words)
    {
        if (loose.Length == 0)
        {
            return;
        }

        var text = loose.ToString();
        loose.Clear();
        if (text.Length == 1)
        {
            words.Add(text);
        }
        else if (WordFrequencies.Shared.Of(text) > 0)
        {
            words.AddRange(text.Select(c => c.ToString()));
        }
        else
        {
            AddNew(text, words);
        }
    }

    private static void AddNew(string text, List<string> words)
    {
        for (var at = 0; at < text.Length;)
        {
            var start = at;
            while (at < text.Length && IsHan(text[at]))
            {
                at++;
            }

            if (at > start)
            {
                words.AddRange(NewWords.Shared.Cut(text[start..at]));
                continue;
            }

            at = NumberOrName(text, at);
            if (at == start)
            {
                while (at < text.Length && !IsHan(text[at]) && !char.IsAsciiLetterOrDigit(text[at]))
                {
                    at++;
                }
            }

            words.Add(text[start..at]);
        }
    }

    /// <summary>The end of letters and digits, perhaps with a point and digits, perhaps with a percent sign.</summary>
    private static int NumberOrName(string text, int at)
    {
        var end = at;
        while (end < text.Length && char.IsAsciiLetterOrDigit(text[end]))
        {
            end++;
        }

        if (end == at)
        {
            return at;
        }

        var fraction = end + 1;
        while (fraction < text.Length && char.IsAsciiDigit(text[fraction]))
        {
            fraction++;
        }

        end = end < text.Length && text[end] == '.' && fraction > end + 1 ? fraction : end;
        return end < text.Length && text[end] == '%' ? end + 1 : end;
    }
}
