namespace Fovea.Evaluation.Texts;

/// <summary>BLEU-4 of one text against one other over their characters: NLTK's <c>sentence_bleu</c> with smoothing method 3 and equal weights.</summary>
internal static class SentenceBleu
{
    private const int Orders = 4;

    public static double Of(IReadOnlyList<int> hypothesis, IReadOnlyList<int> reference)
    {
        Span<double> precision = stackalloc double[Orders];
        var smoothed = 0;
        for (var n = 1; n <= Orders; n++)
        {
            var (hits, all) = (Clipped(hypothesis, reference, n), Math.Max(1, hypothesis.Count - n + 1));
            if (n == 1 && hits == 0)
            {
                return 0;
            }

            precision[n - 1] = hits > 0 ? (double)hits / all : 1.0 / (Math.ScaleB(1, ++smoothed) * all);
        }

        var sum = 0.0;
        foreach (var p in precision)
        {
            sum += Math.Log(p) / Orders;
        }

        var brevity = hypothesis.Count > reference.Count ? 1 : Math.Exp(1 - (double)reference.Count / hypothesis.Count);
        return brevity * Math.Exp(sum);
    }

    /// <summary>How many n-grams of the hypothesis are in the reference, each no more often than there.</summary>
    private static int Clipped(IReadOnlyList<int> hypothesis, IReadOnlyList<int> reference, int n)
    {
        var counts = new Dictionary<(int, int, int, int), int>();
        for (var i = 0; i + n <= reference.Count; i++)
        {
            var gram = Gram(reference, i, n);
            counts[gram] = counts.GetValueOrDefault(gram) + 1;
        }

        var hits = 0;
        for (var i = 0; i + n <= hypothesis.Count; i++)
        {
            var gram = Gram(hypothesis, i, n);
            if (counts.TryGetValue(gram, out var left) && left > 0)
            {
                counts[gram] = left - 1;
                hits++;
            }
        }

        return hits;
    }

    private static (int, int, int, int) Gram(IReadOnlyList<int> text, int at, int n) =>
        (text[at], n > 1 ? text[at + 1] : -1, n > 2 ? text[at + 2] : -1, n > 3 ? text[at + 3] : -1);
}
