using Fovea.Models;
using Fovea.Runs.Files;
using Fovea.Training.Config;

namespace Fovea.Training.Session;

/// <summary>
/// Decides what an output folder that is already there means: the run in it has ended, goes on, begins anew, or is refused. Nothing in it is touched
/// before the new run has trained something (<see cref="TakeOver"/>).
/// </summary>
internal sealed class OutputFolder(TrainConfig config, ModelFamily family, CheckpointStore checkpoints)
{
    private bool anew;

    /// <summary>What of the folder's content stays, and the user might not expect it, in sentences.</summary>
    public IReadOnlyList<string> Notices { get; private set; } = [];

    /// <summary>Whether the configuration names a file or checkpoint to go on from.</summary>
    private string? Given =>
        config.Run.ResumeFromCheckpoint is { } wanted && !Is(wanted, "false") && !Is(wanted, "true") && !Is(wanted, "auto") ? wanted : null;

    private bool FromNewest => config.Run.ResumeFromCheckpoint is { } wanted && (Is(wanted, "true") || Is(wanted, "auto"));

    /// <summary>What to tell where the run that the configuration describes lies there with all its steps done; null where there is something to do.</summary>
    /// <param name="fresh">The run as it would begin.</param>
    /// <exception cref="ConfigException">Another run lies there.</exception>
    public string? Ended(RunProgress fresh, int ranks)
    {
        var asked = Given is not null || FromNewest;
        if ((config.Run.OverwriteOutputDir && !asked) || EndOfResult(fresh.TotalSteps) is not { } end || (Given is { } given && !IsOf(given, end)))
        {
            return null;
        }

        if (checkpoints.Newest is { } newest && StandsAt(newest, end))
        {
            Resumption.Check(newest, config, ranks, fresh);
        }

        var (why, more) = end == fresh.TotalSteps
            ? ($"all {end} steps are done", "num_train_epochs or max_steps")
            : ($"it stopped early after {end} of {fresh.TotalSteps} steps", "early_stopping_steps");
        return $"this run has ended: {why} and {config.Run.OutputDir} holds the result, so nothing was trained or written; "
            + $"raise {more} to train on, or name another output_dir or set overwrite_output_dir: true"
            + $"{(asked ? " without resume_from_checkpoint" : string.Empty)} to begin anew";
    }

    /// <returns>The checkpoint to go on from, or null for a new run.</returns>
    /// <param name="fresh">The run as it would begin.</param>
    /// <exception cref="ConfigException">The folder, or what to go on from, cannot be used.</exception>
    public string? Choose(RunProgress fresh)
    {
        var from = Choose();
        anew = from is null;
        FindStrangers(from is null || Resumption.IsFile(from) ? 0 : CheckpointStore.ReadProgress(from).Step, fresh.TotalSteps);
        try
        {
            Directory.CreateDirectory(config.Run.OutputDir);
            var probe = Path.Combine(config.Run.OutputDir, $".writable.{Environment.ProcessId}");
#pragma warning disable RS0030 // Only to see whether it can be done.
            File.WriteAllText(probe, string.Empty);
#pragma warning restore RS0030
            File.Delete(probe);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigException($"output_dir: {config.Run.OutputDir} cannot be written: {e.Message}");
        }

        return from;
    }

    /// <summary>The new run has trained something: what an earlier one left must not be picked up as its own any more.</summary>
    public void TakeOver()
    {
        if (anew)
        {
            checkpoints.Clear();
        }

        checkpoints.ClearPartial();
    }

    private static bool Is(string value, string word) => string.Equals(value, word, StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether the run that lies there was begun from it, by this same command, or ended with it.</summary>
    private bool IsOf(string given, int total) =>
        StandsAt(given, total) || TrainerState.Find(config.Run.OutputDir)?.Mark?.From == checkpoints.NameOf(given);

    private static bool StandsAt(string checkpoint, int step)
    {
        try
        {
            return !Resumption.IsFile(checkpoint) && CheckpointStore.ReadProgress(checkpoint).Step == step;
        }
        catch (ConfigException)
        {
            // Whoever goes on from it hears of it then.
            return false;
        }
    }

    /// <summary>
    /// The step after which the run that lies there ended; null where none did. A run that ends logs its time and leaves its result; one that has begun
    /// since has replaced the log.
    /// </summary>
    private int? EndOfResult(int total)
    {
        if (TrainerState.Find(config.Run.OutputDir) is not { } state || !ModelSaver.HasWeights(config.Run.OutputDir))
        {
            return null;
        }

        var step = state.GlobalStep;
        var stopped = step < total && config.Run.EarlyStoppingSteps is { } patience && BestSoFar.Of(state).Waited >= patience;
        return (step == total || stopped)
            && state.LogHistory.Any(entry => entry.ContainsKey("train_runtime") && entry.GetValueOrDefault("step") is long at && at == step) ? step : null;
    }

    private string? Choose()
    {
        if (File.Exists(config.Run.OutputDir))
        {
            throw new ConfigException($"output_dir: {config.Run.OutputDir} is a file; it must be a folder");
        }

        if (Given is { } given)
        {
            if (!Path.Exists(given))
            {
                throw new ConfigException($"resume_from_checkpoint: there is nothing at {given}");
            }

            if (Resumption.IsFile(given))
            {
                Resumption.CheckFile(given, config, family);
            }

            return given;
        }

        var newest = checkpoints.Newest;
        if (FromNewest && (newest is not null || !Is(config.Run.ResumeFromCheckpoint!, "auto")))
        {
            return newest ?? throw new ConfigException($"resume_from_checkpoint: {config.Run.OutputDir} holds no complete checkpoint{WhatItHolds()}");
        }

        // Answers of the model before any training may lie there already.
        var used = WriteTarget.Entries(config.Run.OutputDir).Any(entry => !PredictionFiles.Names.Contains(entry.Name));
        return !used || config.Run.OverwriteOutputDir
            ? null
            : newest ?? throw new ConfigException($"output_dir: {config.Run.OutputDir} is not empty and holds no checkpoint to resume from{WhatItHolds()}; "
                + "choose another folder or set overwrite_output_dir: true");
    }

    private string WhatItHolds() =>
        SavedCheckpoint.In(config.Run.OutputDir).LastOrDefault(c => !c.CanResume) is { } only
            ? $" ({Path.GetFileName(only.Path)} was saved with save_only_model)"
        : checkpoints.Others is [.., var (path, _)] ? $" ({Path.GetFileName(path)} has no {SavedCheckpoint.StateFile} of Fovea for that step)"
        : string.Empty;

    /// <summary>Folders that are named like checkpoints and are not ours: in the way they are refused, elsewhere told.</summary>
    private void FindStrangers(int done, int total)
    {
        var strangers = checkpoints.Others;
        List<string> problems =
        [
            .. strangers.Where(other => other.Step > done && other.Step <= total && IsSaved(other.Step, total)).Select(other =>
                $"output_dir: {other.Path} was not made by Fovea, or was saved by an earlier version with save_only_model: it is never replaced, "
                + $"and this run would save its checkpoint of step {other.Step} there; move it, or choose another folder"),
        ];
        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }

        if (strangers.Count > 0 && (anew || config.Run.SaveTotalLimit is not null))
        {
            var names = string.Join(", ", strangers.Select(other => Path.GetFileName(other.Path)));
            Notices =
            [
                $"{names} in {config.Run.OutputDir}: never removed and not counted, not made by Fovea or saved by an earlier version with save_only_model",
            ];
        }
    }

    private bool IsSaved(int step, int total) => config.Run.SaveStrategy switch
    {
        IntervalStrategy.No => false,
        IntervalStrategy.Steps => step == total || step % config.Run.SaveSteps.In(total) == 0,
        _ => true,
    };
}
