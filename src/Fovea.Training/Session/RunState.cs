using Fovea.Data.Sampling;
using Fovea.Training.Config;

namespace Fovea.Training.Session;

/// <summary>Where a run stands; its reporter, checkpoints and evaluation look at the same one.</summary>
internal sealed class RunState(RunProgress progress, SampleOrder order)
{
    public RunProgress Progress { get; set; } = progress;

    /// <summary>The step that this process began with.</summary>
    public int FirstStep { get; set; }

    /// <summary>Epochs done.</summary>
    public double Epoch => order.EpochAfter(Progress.Step);

    /// <summary>Epochs of the whole run.</summary>
    public double Epochs => order.EpochAfter(Progress.TotalSteps);

    public bool IsLastStep => Progress.Step == Progress.TotalSteps;

    public bool IsDue(IntervalStrategy strategy, StepInterval every) => strategy switch
    {
        IntervalStrategy.No => false,
        IntervalStrategy.Epoch => Math.Floor(Epoch) > Math.Floor(order.EpochAfter(Progress.Step - 1)),
        _ => Progress.Step % every.In(Progress.TotalSteps) == 0,
    };
}
