namespace Fovea.Evaluation.Captions;

/// <summary>ROUGE-L of one caption as pycocoevalcap computes it: the best precision and the best recall, perhaps of different references.</summary>
internal static class RougeL
{
    private const double Beta = 1.2;

    /// <summary>Words are parted by single blanks: an empty caption is one empty word.</summary>
    public static double Of(string candidate, IReadOnlyList<string> references)
    {
        var words = candidate.Split(' ');
        var (precision, recall) = (0.0, 0.0);
        foreach (var reference in references)
        {
            var others = reference.Split(' ');
            double common = LongestCommon.Length(others, words);
            precision = Math.Max(precision, common / words.Length);
            recall = Math.Max(recall, common / others.Length);
        }

        return precision == 0 || recall == 0 ? 0 : (1 + (Beta * Beta)) * precision * recall / (recall + (Beta * Beta * precision));
    }
}
