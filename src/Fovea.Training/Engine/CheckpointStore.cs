using System.Globalization;
using System.Text.Json;
using Fovea.Runs.Files;

namespace Fovea.Training.Engine;

/// <summary>
/// The <c>checkpoint-N</c> folders of a run. Each is written beside its final name and renamed when it is complete, so that a half-written one is
/// never picked up; the oldest go when there are more than the limit.
/// </summary>
/// <param name="limit">Checkpoints kept; null is all.</param>
public sealed class CheckpointStore(string outputDir, int? limit)
{
    private const string Prefix = "checkpoint-";
    private const string ProgressFile = "fovea_state.json";

    /// <summary>The newest complete checkpoint, or null.</summary>
    public string? Newest => All().LastOrDefault();

    /// <summary>The folder in which the checkpoint of a step grows.</summary>
    public string Partial(int step) => Path.Combine(outputDir, $".{Prefix}{step}.partial");

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
    public void SaveOptimizer(int step, AdamW optimizer, int rank, int parts) =>
        OptimizerFiles.Write(Partial(step), optimizer, rank, parts);

    /// <summary>The checkpoint is whole: it gets its name.</summary>
    /// <param name="progress">Null where it cannot be resumed (<c>save_only_model</c>).</param>
    /// <returns>Its folder.</returns>
    public string Complete(RunProgress? progress, TrainerState state, int step)
    {
        var target = Path.Combine(outputDir, $"{Prefix}{step}");
        if (progress is not null)
        {
            File.WriteAllText(Path.Combine(Partial(step), ProgressFile), JsonSerializer.Serialize(progress, Json));
        }

        state.Save(Path.Combine(Partial(step), TrainerState.FileName));
        if (Directory.Exists(target))
        {
            Directory.Delete(target, recursive: true);
        }

        Directory.Move(Partial(step), target);
        Rotate(target);
        return target;
    }

    /// <summary>Deletes every checkpoint of an earlier run, complete or not.</summary>
    public void Clear()
    {
        foreach (var folder in Directory.GetDirectories(outputDir, $"{Prefix}*"))
        {
            Directory.Delete(folder, recursive: true);
        }

        ClearPartial();
    }

    /// <summary>Deletes what a run left that was ended while it wrote a checkpoint.</summary>
    public void ClearPartial()
    {
        foreach (var folder in Directory.GetDirectories(outputDir, $".{Prefix}*.partial"))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Takes optimizer state and random state back.</summary>
    public static RunProgress Restore(string checkpoint, AdamW optimizer)
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
        var path = Path.Combine(checkpoint, ProgressFile);
        if (!Path.Exists(path))
        {
            throw new ConfigException(
                $"resume_from_checkpoint: {checkpoint} cannot be resumed: it has no {ProgressFile}; it was saved with save_only_model or by another program");
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

    private void Rotate(string newest)
    {
        if (limit is not { } keep)
        {
            return;
        }

        foreach (var old in All().Where(c => c != newest).SkipLast(Math.Max(0, keep - 1)))
        {
            Directory.Delete(old, recursive: true);
        }
    }

    /// <summary>Complete checkpoints, oldest first.</summary>
    private IEnumerable<string> All() => !Directory.Exists(outputDir)
        ? []
        : Directory.GetDirectories(outputDir, $"{Prefix}*")
            .Select(path => (Path: path, Step: StepOf(path)))
            .Where(c => c.Step is not null && File.Exists(System.IO.Path.Combine(c.Path, TrainerState.FileName)))
            .OrderBy(c => c.Step)
            .Select(c => c.Path);

    private static int? StepOf(string path) =>
        int.TryParse(Path.GetFileName(path)[Prefix.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var step) ? step : null;
}
