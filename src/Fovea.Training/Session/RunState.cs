using Fovea.Data.Sampling;
using Fovea.Training.Config;

namespace Fovea.Training.Session;

/// <summary>Where a run stands; its reporter, checkpoints and evaluation look at the same one.</summary>
internal sealed class RunState(RunProgress progress, SampleOrder order, BestModel? best = null)
{
    /// <summary>The best evaluation so far; null where the run has no use for it.</summary>
    public BestModel? Best => best;

    public RunProgress Progress { get; set; } = progress;

    /// <summary>The step that this process began with.</summary>
    public int FirstStep { get; set; }

    /// <summary>Epochs done.</summary>
    public double Epoch => order.EpochAfter(Progress.Step);

    /// <summary>Epochs of the whole run.</summary>
    public double Epochs => order.EpochAfter(Progress.TotalSteps);

    public bool IsLastStep => Progress.Step == Progress.TotalSteps;

    /// <summary>Whether the run has come to its end: all steps are done, or it stops early.</summary>
    public bool HasEnded => IsLastStep || best?.HasStopped == true;

    public bool IsDue(IntervalStrategy strategy, StepInterval every) => strategy switch
    {
        IntervalStrategy.No => false,
        IntervalStrategy.Epoch => Math.Floor(Epoch) > Math.Floor(order.EpochAfter(Progress.Step - 1)),
        _ => Progress.Step % every.In(Progress.TotalSteps) == 0,
    };
}
