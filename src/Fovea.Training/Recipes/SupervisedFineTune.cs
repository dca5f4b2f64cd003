using Fovea.Distributed;
using Fovea.Events;
using Fovea.Runs.Events;
using Fovea.Training.Config;
using Fovea.Training.Objectives;
using Fovea.Training.Session;

namespace Fovea.Training.Recipes;

/// <summary>
/// Supervised fine-tuning, top to bottom: read what the run is made from, open a session over it, train step after step, save the result. One thread does all
/// of it; data is prepared by others.
/// </summary>
internal static class SupervisedFineTune
{
    /// <summary>Runs to the end, or until <paramref name="stop"/>: then the step is finished, everything saved, and the outcome says so.</summary>
    /// <param name="views">See the run's events, besides the files that the run writes itself.</param>
    /// <param name="mesh">The processes that train together, of which this is one; null is this process alone.</param>
    /// <exception cref="ConfigException">The configuration, the data or the checkpoint cannot be used; nothing was trained.</exception>
    /// <exception cref="MeshException">Another process failed; every one names the same.</exception>
    public static RunOutcome Run(TrainConfig config, IEnumerable<IEventSink> views, CancellationToken stop = default, Mesh? mesh = null)
    {
        using var events = new EventHub(views);
        mesh ??= Mesh.Alone();
        try
        {
            return Telemetry.Span("fovea.run", span =>
            {
                span?.SetTag("fovea.run.name", config.Run.EffectiveRunName).SetTag("fovea.model", config.Model.Name);
                var outcome = StepThread.Run(() => Run(config, events, mesh, stop));
                span?.SetTag("fovea.step", outcome.Step).SetTag("fovea.loss", outcome.TrainLoss).SetTag("fovea.run.interrupted", outcome.Interrupted);
                return outcome;
            });
        }
        catch (Exception e)
        {
            mesh.Fail(e);
            throw;
        }
    }

    private static RunOutcome Run(TrainConfig config, EventHub events, Mesh mesh, CancellationToken stop)
    {
        using var inputs = RunInputs.Read(config, mesh);
        if (inputs.Ended is { } ended)
        {
            events.Write(new Notice(ended));
            return new RunOutcome(inputs.Fresh.TotalSteps, Interrupted: false, TrainLoss: null);
        }

        using var session = RunSession.Open(inputs.Config, inputs, mesh, events, stop);
        session.Start();
        try
        {
            Train(session, TokenLoss.Of(inputs.Config));
            return session.Close();
        }
        catch (Exception e)
        {
            session.Reporter.Failed(e);
            throw;
        }
    }

    private static void Train(RunSession session, IObjective objective)
    {
        using var feed = session.Feed(objective);
        while (session.Continues && feed.Next() is { } step)
        {
            using (step)
            {
                session.Finish(step, session.Train(step, objective));
            }

            session.Evaluation.IfDue();
            session.Checkpoints.IfDue();
        }
    }
}
