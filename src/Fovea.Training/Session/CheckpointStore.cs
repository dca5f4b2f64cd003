using System.Globalization;
using System.Text.Json;
using Fovea.Distributed;
using Fovea.Runs.Files;
using Fovea.Training.Optim;

namespace Fovea.Training.Session;

/// <summary>
/// The <c>checkpoint-N</c> folders of a run. Each is written beside its final name and renamed when it is complete, so that a half-written one is
/// never picked up; those written first go when there are more than the limit. Each says when it was written (<see cref="RunProgress.Order"/>), and
/// <c>trainer_state.json</c> in the run's folder where the run was taken up (<see cref="RunMark"/>): a run that goes on from an older checkpoint leaves
/// the later ones behind, and their higher numbers must not make them the newest.
/// </summary>
/// <param name="limit">Checkpoints kept; null is all.</param>
internal sealed class CheckpointStore(string outputDir, int? limit)
{
    private bool begun;
    private string? own;

    /// <summary>The best checkpoint, which stays whatever the limit is; null where none is known.</summary>
    public string? Best { get; set; }

    /// <summary>The complete checkpoint that a run goes on from: the last that it wrote, else the one that it was taken up from; null without any.</summary>
    public string? Newest => begun ? own : NewestInFolder();

    /// <summary>Names what was saved last, told apart from another run's of the same name; null where there is nothing.</summary>
    public string? Trace
    {
        get
        {
            var (newest, last) = (Newest, SavedCheckpoint.In(outputDir).LastOrDefault());
            var written = last is null ? 0 : Directory.GetLastWriteTimeUtc(last.Path).Ticks;
            return last is null && newest is null ? null : string.Create(CultureInfo.InvariantCulture, $"{newest} {last?.Path} {last?.Order} {written}");
        }
    }

    /// <summary>What has the name of a checkpoint and was not made by Fovea, with its number; it is never removed.</summary>
    public IReadOnlyList<(string Path, int Step)> Others => SavedCheckpoint.Others(outputDir);

    /// <summary>From now on the newest checkpoint is this run's own.</summary>
    /// <param name="from">The checkpoint that it goes on from; null where it begins anew.</param>
    /// <returns>What <c>trainer_state.json</c> is to say about it, once the run has trained something.</returns>
    public RunMark Begin(string? from)
    {
        (begun, own) = (true, from);
        return new RunMark(NextOrder(), from is null ? null : NameOf(from));
    }

    /// <summary>How <see cref="RunMark.From"/> names a checkpoint: in the run's folder, which may be moved, by its name, elsewhere by its path.</summary>
    public string NameOf(string from)
    {
        var path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(from));
        var folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(outputDir));
        return Path.GetDirectoryName(path) == folder ? Path.GetFileName(path) : path;
    }

    /// <summary>The folder in which the checkpoint of a step grows.</summary>
    public string Partial(int step) => Path.Combine(outputDir, $".{SavedCheckpoint.Prefix}{step}.partial");

    /// <summary>Makes the folder in which the checkpoint of a step grows, empty.</summary>
    public void Begin(int step)
    {
        if (Directory.Exists(Partial(step)))
        {
            Directory.Delete(Partial(step), recursive: true);
        }

        Directory.CreateDirectory(Partial(step));
    }

    /// <summary>Writes the optimizer's state, or this rank's part of it; without any, a checkpoint cannot be resumed.</summary>
    /// <param name="parts">Ranks that each write a part; 1 where one writes all.</param>
    public void SaveOptimizer(int step, IOptimizer optimizer, int rank, int parts) =>
        OptimizerFiles.Write(Partial(step), optimizer, rank, parts);

    /// <summary>The checkpoint is whole: it gets its name.</summary>
    /// <param name="progress">Null where it cannot be resumed (<c>save_only_model</c>).</param>
    /// <returns>Its folder.</returns>
    public string Complete(RunProgress? progress, TrainerState state, int step)
    {
        var target = Folder(step);
        var order = NextOrder();
        if (progress is not null)
        {
            progress = progress with { Order = order };
#pragma warning disable RS0030 // The folder gets its name when it is complete.
            File.WriteAllText(Path.Combine(Partial(step), SavedCheckpoint.StateFile), JsonSerializer.Serialize(progress, Json));
#pragma warning restore RS0030
        }

        (state with { Mark = progress is null ? new RunMark(order) : null }).Save(Path.Combine(Partial(step), TrainerState.FileName));
        MakeRoom(target, step);
        Directory.Move(Partial(step), target);
        own = progress is null ? own : target;
        Rotate(target);
        return target;
    }

    /// <summary>Another rank completes the checkpoint of a step, which can be resumed.</summary>
    public void CompletedBy(Mesh mesh, int step) => own = mesh.IsMain ? own : Folder(step);

    /// <summary>Deletes every checkpoint of an earlier run, complete or not. What Fovea did not make stays.</summary>
    public void Clear()
    {
        foreach (var old in SavedCheckpoint.In(outputDir))
        {
            Remove(old.Path);
        }

        ClearPartial();
    }

    /// <summary>Deletes what a run left that was ended while it wrote a checkpoint.</summary>
    public void ClearPartial()
    {
        foreach (var folder in Directory.GetDirectories(outputDir, $".{SavedCheckpoint.Prefix}*").Where(SavedCheckpoint.IsPartial))
        {
            Remove(folder);
        }
    }

    /// <summary>Takes optimizer state and random state back.</summary>
    public static RunProgress Restore(string checkpoint, IOptimizer optimizer)
    {
        using (var files = OptimizerFiles.Open(checkpoint))
        {
            optimizer.Restore(files.Read);
            files.RestoreRandom();
        }

        return ReadProgress(checkpoint);
    }

    /// <summary>How far the run of a checkpoint was.</summary>
    public static RunProgress ReadProgress(string checkpoint)
    {
        var path = Path.Combine(checkpoint, SavedCheckpoint.StateFile);
        if (!Path.Exists(path))
        {
            throw new ConfigException($"resume_from_checkpoint: {checkpoint} cannot be resumed: it has no {SavedCheckpoint.StateFile}; "
                + "it was saved with save_only_model or by another program");
        }

        using var json = JsonFile.ReadObject(path);
        try
        {
            var progress = json.RootElement.Deserialize<RunProgress>(Json)!;
            return progress.Damage() is { } damage ? throw new JsonException(damage) : progress;
        }
        catch (JsonException e)
        {
            throw new ConfigException($"resume_from_checkpoint: {path} is damaged: {e.Message}");
        }
    }

    private static JsonSerializerOptions Json { get; } = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    private string Folder(int step) => Path.Combine(outputDir, $"{SavedCheckpoint.Prefix}{step}");

    private static void Remove(string folder)
    {
        if (!SavedCheckpoint.IsLink(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>What lies where a checkpoint is to go: an earlier one of ours, or nothing.</summary>
    private void MakeRoom(string target, int step)
    {
        if (Others.Any(other => other.Step == step))
        {
            throw new TrainingException($"{target} was not made by Fovea and is not replaced; the checkpoint of step {step} stays in {Partial(step)}: "
                + "rename that folder to go on from it");
        }

        if (Directory.Exists(target))
        {
            Directory.Delete(target, recursive: true);
        }
    }

    private string? NewestInFolder()
    {
        var all = SavedCheckpoint.In(outputDir).Where(c => c.CanResume).ToList();
        var newest = all.LastOrDefault(c => !c.IsDamaged);

        // Whoever loses power loses what was written last; going on from an earlier one is for the user to say.
        if (all.LastOrDefault(c => c.IsDamaged) is { } damaged && damaged.Step > (newest?.Step ?? 0))
        {
            return damaged.Path;
        }

        if (TrainerState.Find(outputDir)?.Mark is { } mark && mark.Order > (newest?.Order ?? 0))
        {
            var from = mark.From is null ? null : Path.Combine(outputDir, mark.From);
            return from is null || Path.Exists(from) ? from : newest?.Path;
        }

        return newest?.Path;
    }

    private int NextOrder() =>
        1 + Math.Max(TrainerState.Find(outputDir)?.Mark?.Order ?? 0, SavedCheckpoint.In(outputDir).Select(c => c.Order).DefaultIfEmpty().Max());

    private void Rotate(string newest)
    {
        if (limit is not { } keep)
        {
            return;
        }

        // The best counts among those that are kept; where only one may be, it stays beside the newest, from which the run goes on.
        var others = SavedCheckpoint.In(outputDir).Where(c => c.Path != newest).ToList();
        var kept = others.RemoveAll(c => Best is not null && Path.GetFullPath(c.Path) == Path.GetFullPath(Best)) + 1;
        foreach (var old in others.SkipLast(Math.Max(0, keep - kept)))
        {
            Remove(old.Path);
        }
    }
}
