namespace Fovea.Evaluation.Captions;

/// <summary>What BLEU needs of one caption or, added up, of many: how many n-grams are right of how many, and the lengths.</summary>
internal sealed class BleuCounts
{
    public const int Orders = 4;
    private const double Tiny = 1e-15;
    private const double Small = 1e-9;
    private readonly long[] right = new long[Orders];
    private readonly long[] all = new long[Orders];
    private long length;
    private long referenceLength;

    /// <summary>
    /// A caption against its references: an n-gram counts no more often than in the reference that has it most, and the nearest length is asked for.
    /// </summary>
    public static BleuCounts Of(NGrams candidate, IReadOnlyList<NGrams> references)
    {
        var counts = new BleuCounts
        {
            length = candidate.Words,
            referenceLength = references.Select(reference => reference.Words)
                .OrderBy(words => Math.Abs(words - candidate.Words)).ThenBy(words => words).First(),
        };
        for (var n = 0; n < Orders; n++)
        {
            counts.all[n] = Math.Max(0, candidate.Words - n);
            foreach (var (gram, count) in candidate.Counts[n])
            {
                counts.right[n] += Math.Min(count, references.Max(reference => reference.Counts[n].GetValueOrDefault(gram)));
            }
        }

        return counts;
    }

    public void Add(BleuCounts other)
    {
        for (var n = 0; n < Orders; n++)
        {
            right[n] += other.right[n];
            all[n] += other.all[n];
        }

        length += other.length;
        referenceLength += other.referenceLength;
    }

    /// <summary>BLEU-1 to BLEU-4.</summary>
    public double[] Scores()
    {
        var scores = new double[Orders];
        var product = 1.0;
        var ratio = (length + Tiny) / (referenceLength + Small);
        for (var n = 0; n < Orders; n++)
        {
            product *= (right[n] + Tiny) / (all[n] + Small);
            scores[n] = Math.Pow(product, 1.0 / (n + 1)) * (ratio < 1 ? Math.Exp(1 - (1 / ratio)) : 1);
        }

        return scores;
    }
}
