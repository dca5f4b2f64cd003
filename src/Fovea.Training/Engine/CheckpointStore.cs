using System.Globalization;
using System.Text.Json;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Runs.Files;
using Fovea.Tensors;
using Fovea.Tensors.Safetensors;

namespace Fovea.Training.Engine;

/// <summary>
/// The <c>checkpoint-N</c> folders of a run. Each is written beside its final name and renamed when it is complete, so that a half-written one is
/// never picked up; the oldest go when there are more than the limit.
/// </summary>
/// <param name="limit">Checkpoints kept; null is all.</param>
public sealed class CheckpointStore(string outputDir, int? limit)
{
    private const string Prefix = "checkpoint-";
    private const string OptimizerFile = "optimizer.safetensors";
    private const string ProgressFile = "fovea_state.json";

    /// <summary>The newest complete checkpoint, or null.</summary>
    public string? Newest => All().LastOrDefault();

    /// <summary>Writes one checkpoint.</summary>
    /// <param name="writeModel">Writes adapter or weights into the folder it is given.</param>
    /// <param name="optimizer">Left out when null (<c>save_only_model</c>): such a checkpoint cannot be resumed.</param>
    /// <returns>Its folder.</returns>
    public string Save(RunProgress progress, TrainerState state, Action<string> writeModel, AdamW? optimizer)
    {
        var target = Path.Combine(outputDir, $"{Prefix}{progress.Step}");
        var partial = Path.Combine(outputDir, $".{Prefix}{progress.Step}.partial");
        if (Directory.Exists(partial))
        {
            Directory.Delete(partial, recursive: true);
        }

        Directory.CreateDirectory(partial);
        writeModel(partial);
        if (optimizer is not null)
        {
            WriteOptimizer(Path.Combine(partial, OptimizerFile), optimizer);
            File.WriteAllText(Path.Combine(partial, ProgressFile), JsonSerializer.Serialize(progress, Json));
        }

        state.Save(Path.Combine(partial, TrainerState.FileName));
        if (Directory.Exists(target))
        {
            Directory.Delete(target, recursive: true);
        }

        Directory.Move(partial, target);
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
        using (var file = Checkpoint.Open(Path.Combine(checkpoint, OptimizerFile)))
        {
            var source = new CheckpointSource(file);
            optimizer.Restore(name => source.Has(name) ? source.Read(name, []) : null);
            using var scope = TensorScope.Open("step");
            Torch.SetRngState(source.Read("rng_state", []).Clone());
        }

        return ReadProgress(checkpoint);
    }

    /// <summary>How far the run of a checkpoint was.</summary>
    public static RunProgress ReadProgress(string checkpoint)
    {
        var path = Path.Combine(checkpoint, ProgressFile);
        try
        {
            return JsonSerializer.Deserialize<RunProgress>(File.ReadAllText(path), Json) ?? throw new JsonException("empty");
        }
        catch (FileNotFoundException)
        {
            throw new ConfigException(
                $"resume_from_checkpoint: {checkpoint} cannot be resumed: it has no {ProgressFile}; it was saved with save_only_model or by another program");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new ConfigException($"resume_from_checkpoint: {path} is damaged: {e.Message}");
        }
    }

    private static JsonSerializerOptions Json { get; } = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    private static void WriteOptimizer(string path, AdamW optimizer)
    {
        using var scope = TensorScope.Open("step");
        var sources = optimizer.Saved.Select(s => TensorBytes.Source(s.Name, s.Value)).Append(TensorBytes.Source("rng_state", Torch.RngState())).ToList();
        SafetensorsWriter.Write(path, sources);
    }

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
