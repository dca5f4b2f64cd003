using System.Globalization;

namespace Fovea.Training.Config;

/// <summary>A number of optimizer steps: whole, or a part of the run when below 1, as Transformers reads <c>logging_steps</c> and its like.</summary>
internal readonly record struct StepInterval(double Value)
{
    public static implicit operator StepInterval(int steps) => new(steps);

    /// <summary>The interval in steps, at least 1, for a run of <paramref name="totalSteps"/>.</summary>
    public int In(int totalSteps) => Math.Max(1, Value < 1 ? (int)Math.Ceiling(totalSteps * Value) : (int)Value);

    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}
