namespace Fovea.Evaluation.Captions;

/// <summary>How often a text has each run of one to four words.</summary>
internal sealed class NGrams
{
    private NGrams(int words, Dictionary<(int, int, int, int), int>[] counts) => (Words, Counts) = (words, counts);

    public int Words { get; }

    /// <summary>By length less one.</summary>
    public Dictionary<(int A, int B, int C, int D), int>[] Counts { get; }

    /// <param name="text">Split at any whitespace.</param>
    /// <param name="numbers">Numbers of words, which grow.</param>
    public static NGrams Of(string text, Dictionary<string, int> numbers)
    {
        var words = PythonText.Words(text);
        var ids = new int[words.Count];
        for (var i = 0; i < ids.Length; i++)
        {
            if (!numbers.TryGetValue(words[i], out ids[i]))
            {
                // 0 stands for no word.
                numbers[words[i]] = ids[i] = numbers.Count + 1;
            }
        }

        var counts = new Dictionary<(int, int, int, int), int>[BleuCounts.Orders];
        for (var n = 1; n <= counts.Length; n++)
        {
            var some = counts[n - 1] = new(Math.Max(0, ids.Length - n + 1));
            for (var i = 0; i + n <= ids.Length; i++)
            {
                var gram = (ids[i], n > 1 ? ids[i + 1] : 0, n > 2 ? ids[i + 2] : 0, n > 3 ? ids[i + 3] : 0);
                some[gram] = some.GetValueOrDefault(gram) + 1;
            }
        }

        return new NGrams(ids.Length, counts);
    }
}
