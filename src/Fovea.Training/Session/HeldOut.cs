using Fovea.Data.Packing;
using Fovea.Distributed;
using Fovea.Runs.Events;
using Fovea.Training.Config;
using Fovea.Training.Objectives;

namespace Fovea.Training.Session;

/// <summary>A run's evaluations on its held-out samples, when they are due and at the end.</summary>
internal sealed class HeldOut(
    TrainConfig config, RunInputs inputs, TrainSession session, Mesh mesh, IFeatureStore? cache, int microBatchTokens, RunState state, EventHub events)
{
    /// <summary>What is measured; null before the run trains.</summary>
    public IObjective? Objective { get; set; }

    /// <summary>Measures where <c>eval_strategy</c> says so.</summary>
    public void IfDue()
    {
        if (state.IsDue(config.Run.EvalStrategy, config.Run.EvalSteps ?? config.Run.LoggingSteps))
        {
            Run(final: false);
        }
    }

    /// <summary>Measures once more when everything is saved.</summary>
    public void AtTheEnd()
    {
        if (config.Run.Evaluates)
        {
            Run(final: true);
        }
    }

    private void Run(bool final)
    {
        if (inputs.Data.Eval is not { Count: > 0 } samples)
        {
            return;
        }

        using var pipeline = inputs.Setup.HeldOut(config, samples, mesh.Rank, mesh.WorldSize, microBatchTokens, cache);
        var measured = Evaluation.Run(session.Runner, Objective!, pipeline, mesh, session.Strategy);
        events.Write(measured with { Step = state.Progress.Step, TotalSteps = state.Progress.TotalSteps, Epoch = state.Epoch, Final = final });
    }
}
