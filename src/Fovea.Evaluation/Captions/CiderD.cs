namespace Fovea.Evaluation.Captions;

/// <summary>
/// CIDEr-D, which pycocoevalcap calls CIDEr: n-grams weighted by how few images have them in their references, clipped, and less for captions of another
/// length. The weights come from the references of the set that is scored.
/// </summary>
internal static class CiderD
{
    private const double Sigma = 6;
    private const double Scale = 10;

    /// <summary>The score of each image.</summary>
    public static double[] Of(IReadOnlyList<NGrams> candidates, IReadOnlyList<NGrams[]> references)
    {
        var images = Frequencies(references);
        var log = Math.Log(candidates.Count);
        var scores = new double[candidates.Count];
        for (var i = 0; i < scores.Length; i++)
        {
            var ours = new Vector(candidates[i], images, log);
            var sum = 0.0;
            foreach (var reference in references[i])
            {
                sum += Likeness(ours, new Vector(reference, images, log));
            }

            scores[i] = Scale * sum / BleuCounts.Orders / references[i].Length;
        }

        return scores;
    }

    /// <summary>In the references of how many images each n-gram is.</summary>
    private static Dictionary<(int, int, int, int), int> Frequencies(IReadOnlyList<NGrams[]> references)
    {
        var images = new Dictionary<(int, int, int, int), int>();
        foreach (var image in references)
        {
            foreach (var gram in image.SelectMany(reference => reference.Counts).SelectMany(counts => counts.Keys).Distinct())
            {
                images[gram] = images.GetValueOrDefault(gram) + 1;
            }
        }

        return images;
    }

    private static double Likeness(Vector ours, Vector theirs)
    {
        double length = ours.Length - theirs.Length;
        var penalty = Math.Exp(-(length * length) / (2 * Sigma * Sigma));
        var sum = 0.0;
        for (var n = 0; n < BleuCounts.Orders; n++)
        {
            var product = 0.0;
            foreach (var (gram, weight) in ours.Weights[n])
            {
                if (theirs.Weights[n].TryGetValue(gram, out var other))
                {
                    product += Math.Min(weight, other) * other;
                }
            }

            var norms = ours.Norms[n] * theirs.Norms[n];
            sum += (norms > 0 ? product / norms : product) * penalty;
        }

        return sum;
    }

    private sealed class Vector
    {
        public Vector(NGrams text, Dictionary<(int, int, int, int), int> images, double log)
        {
            // The original counts pairs of words as the length.
            Length = Math.Max(0, text.Words - 1);
            for (var n = 0; n < Weights.Length; n++)
            {
                Weights[n] = new(text.Counts[n].Count);
                var squares = 0.0;
                foreach (var (gram, count) in text.Counts[n])
                {
                    var weight = count * (log - Math.Log(Math.Max(1, images.GetValueOrDefault(gram))));
                    Weights[n][gram] = weight;
                    squares += weight * weight;
                }

                Norms[n] = Math.Sqrt(squares);
            }
        }

        public int Length { get; }

        public Dictionary<(int, int, int, int), double>[] Weights { get; } = new Dictionary<(int, int, int, int), double>[BleuCounts.Orders];

        public double[] Norms { get; } = new double[BleuCounts.Orders];
    }
}
