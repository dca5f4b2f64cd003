using Fovea.Evaluation.Texts;

namespace Fovea.Training.Answers;

/// <summary>Scores of generated answers against labels, under LLaMA-Factory's names.</summary>
internal static class MeanScores
{
    public static IReadOnlyList<string> Names => TextScores.Names;

    /// <summary>The means over rows by name; of no rows there are none.</summary>
    public static IReadOnlyDictionary<string, double> Means(IReadOnlyCollection<TextScores> scores) => scores.Count == 0
        ? new Dictionary<string, double>()
        : TextScores.Names.Zip(TextScores.Mean(scores).Values).ToDictionary(pair => pair.First, pair => pair.Second);
}
