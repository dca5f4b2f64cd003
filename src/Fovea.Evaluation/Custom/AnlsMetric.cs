using System.Globalization;
using Fovea.Evaluation.Quick;

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
        var best = expected.Max(truth => 1 - EditDistance.Normalised(truth, answer));
        return new CustomScore(best >= threshold ? best : 0);
    }
}
