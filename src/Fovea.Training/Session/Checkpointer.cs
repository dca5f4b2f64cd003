using Fovea.Data.Streaming;
using Fovea.Distributed;
using Fovea.Training.Config;

namespace Fovea.Training.Session;

/// <summary>Saves a run's checkpoints and its result, and takes the output folder over once the run has trained something.</summary>
internal sealed class Checkpointer(TrainConfig config, RunInputs inputs, ModelSetup model, TrainSession session, Mesh mesh, RunState state, Reporter reporter)
{
    private readonly CheckpointStore store = inputs.Checkpoints;
    private int lastSaved = -1;

    /// <summary>The checkpoint that the run would go on from; null without any.</summary>
    public string? Newest => store.Newest;

    /// <summary>Whether the output folder is this run's by now.</summary>
    public bool HasTakenOver { get; private set; }

    /// <summary>Saves where <c>save_strategy</c> says so, and after the last step.</summary>
    public void IfDue()
    {
        if (config.Run.SaveStrategy != IntervalStrategy.No && (state.IsDue(config.Run.SaveStrategy, config.Run.SaveSteps) || state.IsLastStep))
        {
            Save();
        }
    }

    /// <summary>Saves what was done since the last checkpoint of a run that is stopped.</summary>
    public void IfUnsaved()
    {
        if (lastSaved != state.Progress.Step && state.Progress.Step > state.FirstStep && !config.Run.SaveOnlyModel)
        {
            Save();
        }
    }

    /// <summary>From here on the output folder is this run's: what an earlier one left there may go.</summary>
    public void TakeOver()
    {
        if (!HasTakenOver)
        {
            HasTakenOver = true;
            mesh.OnMain(inputs.Output.TakeOver);
        }
    }

    /// <summary>Writes the adapter or the model into the output folder.</summary>
    public void SaveResult()
    {
        TakeOver();
        Telemetry.Span("fovea.result.save", _ =>
        {
            session.Strategy.OnMain(() => ModelSaver.Save(model, config, config.Run.OutputDir));
            return true;
        });
    }

    private void Save() => Telemetry.Span("fovea.checkpoint", span =>
    {
        span?.SetTag("fovea.step", state.Progress.Step);
        Save(state.Progress.Step);
        return true;
    });

    private void Save(int step)
    {
        TakeOver();
        lastSaved = step;
        state.Best?.Saving(step);
        store.Best = state.Best?.SoFar.Checkpoint;
        mesh.OnMain(() => store.Begin(step));
        session.Strategy.Save(new CheckpointContent(
            config.Run.SaveOnlyModel ? null : (part, parts) => store.SaveOptimizer(step, session.Optimizer, part, parts),
            () => ModelSaver.Save(model, config, store.Partial(step)),
            model is { Adapter: null, Family.Files: null } && !config.Parallel.Sharding.SaveWhole
                ? () => ModelSaver.SaveCompanions(model, config.Model.ModelNameOrPath, store.Partial(step))
                : null));
        if (inputs.Stream is { } stream && !config.Run.SaveOnlyModel)
        {
            mesh.OnMain(() => StreamStateFile.Write(store.Partial(step), stream.StateAt(step)));
        }

        mesh.OnMain(() => reporter.Saved(store.Complete(config.Run.SaveOnlyModel ? null : state.Progress, reporter.Log, step)));
        if (!config.Run.SaveOnlyModel)
        {
            store.CompletedBy(mesh, step);
        }
    }
}
