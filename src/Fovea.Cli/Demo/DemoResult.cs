namespace Fovea.Cli.Demo;

/// <summary>What the demonstration came to; accuracies in percent on held-out pictures.</summary>
/// <param name="ShapesBefore">Of the model with random weights.</param>
/// <param name="ShapesAfter">Of the trained base.</param>
/// <param name="ColoursBefore">Of the trained base, which never saw the question with a picture.</param>
/// <param name="Answers">Answers of base and adapter about colours.</param>
internal sealed record DemoResult(double ShapesBefore, double ShapesAfter, double ColoursBefore, IReadOnlyList<DemoAnswer> Answers)
{
    /// <summary>Of base and adapter.</summary>
    public double ColoursAfter { get; } = DemoExam.Accuracy(Answers);

    /// <summary>What is not as it should be; empty when all is well.</summary>
    public IEnumerable<string> Failures(double requiredGain)
    {
        foreach (var (task, what, before, after) in new[]
        {
            (DemoTask.Shapes, "shapes", ShapesBefore, ShapesAfter),
            (DemoTask.Colours, "colours", ColoursBefore, ColoursAfter),
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
