namespace Fovea.Evaluation.Captions;

/// <summary>The scores of captions, image by image and over all.</summary>
internal sealed class CaptionScores
{
    private readonly BleuCounts[] bleu;

    /// <param name="candidates">Tokenised, one an image.</param>
    /// <param name="references">Tokenised, at least one an image.</param>
    public CaptionScores(IReadOnlyList<string> candidates, IReadOnlyList<string[]> references)
    {
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        NGrams[] ours = [.. candidates.Select(text => NGrams.Of(text, numbers))];
        NGrams[][] theirs = [.. references.Select(texts => Array.ConvertAll(texts, text => NGrams.Of(text, numbers)))];
        bleu = [.. ours.Select((text, i) => BleuCounts.Of(text, theirs[i]))];
        RougeL = [.. candidates.Select((text, i) => Captions.RougeL.Of(text, references[i]))];
        Cider = CiderD.Of(ours, theirs);
        BleuOfAll = Bleu(Enumerable.Range(0, bleu.Length));
    }

    /// <summary>BLEU-1 to BLEU-4 of all captions together.</summary>
    public double[] BleuOfAll { get; }

    /// <summary>Of each image.</summary>
    public double[] RougeL { get; }

    /// <summary>Of each image, with the weights of the whole set.</summary>
    public double[] Cider { get; }

    /// <summary>BLEU-1 to BLEU-4 of some images together, given by their indices, repeats counted.</summary>
    public double[] Bleu(IEnumerable<int> images)
    {
        var sum = new BleuCounts();
        foreach (var i in images)
        {
            sum.Add(bleu[i]);
        }

        return sum.Scores();
    }
}
