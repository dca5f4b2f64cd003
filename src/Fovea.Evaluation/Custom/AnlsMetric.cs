using System.Globalization;

namespace Fovea.Evaluation.Custom;

/// <summary>DocVQA's similarity of texts (Biten et al. 2019).</summary>
internal sealed class AnlsMetric(MetricArguments arguments) : CustomMetric
{
    private readonly double threshold = arguments.Number("threshold", 0.5, 0, 1);

    public override string Name => "anls";

    public override string Rule => string.Create(CultureInfo.InvariantCulture,
        $"ANLS: 1 - edits / length of the longer text, of the nearest expected answer, letter case ignored; below {threshold} it is 0; per cent");

    public override CustomScore Score(string answer, IReadOnlyList<string> expected)
    {
        var read = ExactMetric.Plain(answer).ToLowerInvariant();
        var best = expected.Max(truth => Similarity(read, ExactMetric.Plain(truth).ToLowerInvariant()));
        return new CustomScore(best >= threshold ? best : 0);
    }

    private static double Similarity(string a, string b)
    {
        var longer = Math.Max(a.Length, b.Length);
        return longer == 0 ? 1 : 1 - (Edits(a, b) / (double)longer);
    }

    private static int Edits(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var cost = Math.Min(diagonal + (a[i - 1] == b[j - 1] ? 0 : 1), Math.Min(row[j], row[j - 1]) + 1);
                (diagonal, row[j]) = (row[j], cost);
            }
        }

        return row[b.Length];
    }
}
