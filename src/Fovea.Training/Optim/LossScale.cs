namespace Fovea.Training.Optim;

/// <summary>
/// The factor of the loss that keeps fp16 gradients within range, as <c>torch.amp.GradScaler</c> adjusts it by default: halved where a gradient overflows,
/// doubled after so many steps without. Part of a checkpoint, so that a resumed run goes on as if it had not been interrupted.
/// </summary>
/// <param name="Value">A power of two.</param>
/// <param name="GoodSteps">Steps without overflow since it last changed.</param>
internal sealed record LossScale(double Value = LossScale.Initial, int GoodSteps = 0)
{
    /// <summary>The scale of a new run.</summary>
    public const double Initial = 65536;

    /// <summary>Below this an overflow is no matter of scale: the loss itself has left the range.</summary>
    public const double Smallest = 1;

    /// <summary>Steps without overflow after which it is doubled.</summary>
    public const int GrowthInterval = 2000;

    /// <summary>Whether it has fallen too low for the run to go on.</summary>
    public bool IsTooSmall => Value < Smallest;

    /// <summary>The scale of the next step.</summary>
    /// <param name="finite">Whether every gradient of this one was.</param>
    public LossScale After(bool finite) => !finite ? new LossScale(Value / 2)
        : GoodSteps + 1 < GrowthInterval ? this with { GoodSteps = GoodSteps + 1 }
        : new LossScale(Value * 2);
}
