namespace Fovea.Evaluation.Texts;

/// <summary>
/// How near a prediction is to its label, as LLaMA-Factory's <c>predict</c> computes it: ROUGE over jieba's words and BLEU-4 over characters, each times 100
/// and rounded to four digits.
/// </summary>
internal readonly record struct TextScores(double Rouge1, double Rouge2, double RougeL, double Bleu4)
{
    /// <summary>The names in the original's order.</summary>
    public static IReadOnlyList<string> Names { get; } = ["rouge-1", "rouge-2", "rouge-l", "bleu-4"];

    /// <summary>The values in the order of <see cref="Names"/>.</summary>
    public IReadOnlyList<double> Values => [Rouge1, Rouge2, RougeL, Bleu4];

    /// <summary>Scores one pair.</summary>
    public static TextScores Of(string prediction, string label)
    {
        var (ours, theirs) = (string.Join(' ', ChineseWords.Cut(prediction)), string.Join(' ', ChineseWords.Cut(label)));
        var bleu = Percent(SentenceBleu.Of(CodePoints(prediction), CodePoints(label)));
        if (ours.All(PythonText.IsSpace) || theirs.All(PythonText.IsSpace))
        {
            return new TextScores(0, 0, 0, bleu);
        }

        var (hypothesis, reference) = (WordOverlap.Words(ours), WordOverlap.Words(theirs));
        return new TextScores(
            Percent(WordOverlap.Sets(hypothesis, reference, 1)), Percent(WordOverlap.Sets(hypothesis, reference, 2)),
            Percent(WordOverlap.Longest(hypothesis, reference)), bleu);
    }

    /// <summary>The means, which the original takes with NumPy and does not round; zeros of nothing.</summary>
    public static TextScores Mean(IReadOnlyCollection<TextScores> scores) =>
        new(Mean(scores, s => s.Rouge1), Mean(scores, s => s.Rouge2), Mean(scores, s => s.RougeL), Mean(scores, s => s.Bleu4));

    private static double Mean(IEnumerable<TextScores> scores, Func<TextScores, double> one) => NumpyMean.Of([.. scores.Select(one)]);

    private static double Percent(double value) => PythonRound.To(value * 100, 4);

    private static List<int> CodePoints(string text)
    {
        var points = new List<int>(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            var isPair = char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]);
            points.Add(isPair ? char.ConvertToUtf32(text[i], text[++i]) : text[i]);
        }

        return points;
    }
}
