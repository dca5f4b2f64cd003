using System.Globalization;
using Fovea.Models.Peft;
using Fovea.Runs.Files;
using Fovea.Runs.Trackers;
using Fovea.Tensors;
using Fovea.Training.Config;

namespace Fovea.Training.Session;

/// <summary>
/// Looks at the folders of a run's results before the work begins: what cannot be written shows now, not after hours. The cache of vision features is not
/// among them: the run goes on without one, and says so.
/// </summary>
internal static class RunTargets
{
    private const string Checkpoint = "checkpoint-";

    private static readonly string[] Files =
    [
        "adapter_model.safetensors", PeftConfig.FileName, AdapterBase.FileName, "README.md", "config.json", "model.safetensors",
        "model.safetensors.index.json", TrainerLogSink.FileName, TrainerState.FileName, RunningLogSink.FileName, "train_results.json",
        "eval_results.json", "all_results.json", "training_loss.svg", "training_loss.png", PredictionFiles.Answers,
        PredictionFiles.Scores, PredictionFiles.Report, MlflowTracker.FileName,
    ];

    /// <summary>Links are followed, mount points are folders like any other; nothing is made.</summary>
    /// <exception cref="ConfigException">A folder cannot be written, or holds a folder where a file belongs or the other way round.</exception>
    public static void Check(RunSection run)
    {
        var problems = new List<string>();
        Look(() =>
        {
            foreach (var entry in WriteTarget.Entries(WriteTarget.Folder(run.OutputDir, "output_dir")))
            {
                if (entry is DirectoryInfo && Files.Contains(entry.Name))
                {
                    problems.Add($"output_dir: {Path.Combine(run.OutputDir, entry.Name)} is a folder where the run writes a file; "
                        + "move it away or choose another output_dir");
                }
                else if (entry is FileInfo && IsCheckpoint(entry.Name))
                {
                    problems.Add($"output_dir: {Path.Combine(run.OutputDir, entry.Name)} is a file where the run makes a folder; "
                        + "move it away or choose another output_dir");
                }
            }
        });
        if (run.UseTensorBoard)
        {
            var (folder, key) = run.LoggingDir is { } named ? (named, "logging_dir") : (Path.Combine(run.OutputDir, "runs"), "output_dir");
            Look(() => WriteTarget.Folder(folder, key));
        }

        if (run.UseMlflow)
        {
            Look(() => MlflowSettings.Read(Environment.GetEnvironmentVariable));
        }

        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }

        void Look(Action check)
        {
            try
            {
                check();
            }
            catch (ConfigException e)
            {
                problems.AddRange(e.Problems);
            }
        }
    }

    /// <summary>Refuses a run whose first checkpoint, or whose result, would not fit on the disk.</summary>
    public static void CheckRoom(RunSection run, ModelSetup model)
    {
        var learnt = model.Model.Ledger.Trainable.Sum(p => p.Count * (model.Adapter is null ? 2L : p.Master.Size()));
        var saves = run.SaveStrategy != IntervalStrategy.No;
        var moments = saves && !run.SaveOnlyModel ? model.Model.Ledger.Trainable.Sum(p => p.Count * 2L * p.Master.Size()) : 0;

        // Checkpoints of the run before go when this one has its first.
        var goes = run.OverwriteOutputDir
            ? WriteTarget.Entries(run.OutputDir).OfType<DirectoryInfo>().Where(folder => IsCheckpoint(folder.Name))
                .Sum(folder => folder.EnumerateFiles().Sum(file => file.Length))
            : 0;
        WriteTarget.Room(run.OutputDir, "output_dir", learnt + moments - goes, saves ? "one checkpoint" : "the result");
    }

    private static bool IsCheckpoint(string name) => name.StartsWith(Checkpoint, StringComparison.Ordinal)
        && int.TryParse(name[Checkpoint.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out _);
}
