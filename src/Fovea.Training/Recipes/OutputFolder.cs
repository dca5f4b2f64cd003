using Fovea.Tensors.Files;
using Fovea.Training.Config;
using Fovea.Training.Engine;

namespace Fovea.Training.Recipes;

/// <summary>Decides what an output folder that is already there means: resume, start afresh, or refuse.</summary>
public static class OutputFolder
{
    /// <returns>The checkpoint to resume from, or null for a new run.</returns>
    public static string? Prepare(TrainConfig config, CheckpointStore store)
    {
        var checkpoint = Choose(config, store);
        try
        {
            Directory.CreateDirectory(config.OutputDir);
            var probe = Path.Combine(config.OutputDir, $".writable.{Environment.ProcessId}");
            File.WriteAllText(probe, string.Empty);
            File.Delete(probe);
            store.ClearPartial();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigException($"output_dir: {config.OutputDir} cannot be written: {e.Message}");
        }

        return checkpoint;
    }

    private static string? Choose(TrainConfig config, CheckpointStore store)
    {
        if (File.Exists(config.OutputDir))
        {
            throw new ConfigException($"output_dir: {config.OutputDir} is a file; it must be a folder");
        }

        if (config.ResumeFromCheckpoint is { } wanted && !string.Equals(wanted, "false", StringComparison.OrdinalIgnoreCase))
        {
            var newest = string.Equals(wanted, "true", StringComparison.OrdinalIgnoreCase);
            var checkpoint = newest ? store.Newest : wanted;
            if (checkpoint is null || !Path.Exists(checkpoint))
            {
                throw new ConfigException(newest
                    ? $"resume_from_checkpoint: {config.OutputDir} holds no complete checkpoint"
                    : $"resume_from_checkpoint: there is nothing at {wanted}");
            }

            if (Resumption.IsFile(checkpoint))
            {
                Resumption.CheckFile(checkpoint, config);
            }

            return checkpoint;
        }

        var used = WriteTarget.Entries(config.OutputDir).Any();
        if (used && !config.OverwriteOutputDir)
        {
            return store.Newest ?? throw new ConfigException(
                $"output_dir: {config.OutputDir} is not empty and holds no checkpoint to resume from; "
                + "choose another folder or set overwrite_output_dir: true");
        }

        if (used)
        {
            // What an earlier run left must not be picked up as this one's.
            store.Clear();
        }

        return null;
    }
}
