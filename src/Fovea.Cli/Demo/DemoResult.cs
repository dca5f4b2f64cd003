namespace Fovea.Cli.Demo;

/// <summary>What the demonstration came to; accuracies in percent on held-out pictures.</summary>
/// <param name="DescribedBefore">Of the model with random weights.</param>
/// <param name="Described">Descriptions by the trained base.</param>
/// <param name="FruitBefore">Of the trained base, which never saw the question.</param>
/// <param name="Answers">Answers of base and adapter about fruit.</param>
internal sealed record DemoResult(
    double DescribedBefore, IReadOnlyList<DemoAnswer> Described, double FruitBefore, IReadOnlyList<DemoAnswer> Answers)
{
    /// <summary>Of the trained base.</summary>
    public double DescribedAfter { get; } = DemoExam.Accuracy(Described);

    /// <summary>Of base and adapter about fruit.</summary>
    public double FruitAfter { get; } = DemoExam.Accuracy(Answers);

    /// <summary>What is not as it should be; empty when all is well.</summary>
    public IEnumerable<string> Failures(double requiredGain)
    {
        foreach (var (task, what, before, after) in new[]
        {
            (DemoTask.Describe, "descriptions", DescribedBefore, DescribedAfter),
            (DemoTask.Fruit, "fruit", FruitBefore, FruitAfter),
        })
        {
            if (after < task.Chance + requiredGain || after < before + requiredGain)
            {
                yield return FormattableString.Invariant(
                    $"{what}: {after:0.0} % is not {requiredGain:0} points above chance ({task.Chance:0.0} %) and above the model before ({before:0.0} %)");
            }
        }
    }
}
