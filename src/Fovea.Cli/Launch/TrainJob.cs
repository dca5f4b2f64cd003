using Fovea.Training.Config;
using Fovea.Training.Engine;

namespace Fovea.Cli.Launch;

/// <summary>A training run as a job for ranks, and how it goes on after a failure.</summary>
internal sealed class TrainJob
{
    private const string GraceVariable = "FOVEA_STOP_SECONDS";
    private readonly TrainConfig config;
    private readonly IReadOnlyList<string> arguments;
    private readonly CheckpointStore checkpoints;
    private readonly string? found;

    private TrainJob(TrainConfig config, IReadOnlyList<string> arguments)
    {
        this.config = config;
        this.arguments = arguments;
        checkpoints = new CheckpointStore(config.OutputDir, limit: null);
        found = Saved();
    }

    /// <param name="arguments">All arguments of the program.</param>
    public static LaunchJob Create(TrainConfig config, IReadOnlyList<string> arguments, LaunchVariables variables, int processes)
    {
        var job = new TrainJob(config, arguments);
        var standard = new LaunchJob
        {
            Arguments = arguments,
            Again = job.Again,
            Progress = job.Saved,
            OutputDir = config.OutputDir,
            MaxRestarts = Restarts(config, variables),
            Threads = Resources.Threads(variables, processes),
        };
        return variables.Count(0, GraceVariable) is { } seconds ? standard with { Grace = TimeSpan.FromSeconds(seconds) } : standard;
    }

    /// <summary>The environment's number, as LLaMA-Factory and Kubeflow set it, before the file's.</summary>
    public static int Restarts(TrainConfig config, LaunchVariables variables) => variables.Count(0, "MAX_RESTARTS", "PET_MAX_RESTARTS") ?? config.MaxRestarts;

    private (IReadOnlyList<string> Arguments, string How) Again()
    {
        var saved = Saved();
        // What lay there before belongs to an earlier run, unless this one was to go on from it.
        var own = saved is not null && (saved != found || !config.OverwriteOutputDir);
        if (own && !config.SaveOnlyModel)
        {
            return ([.. arguments, "--resume_from_checkpoint=true"], $"from {Path.GetFileName(checkpoints.Newest)}");
        }

        return config.ResumeFromCheckpoint is { } given && !given.Equals("false", StringComparison.OrdinalIgnoreCase)
            ? (arguments, $"from {given}, as before")
            : ([.. arguments, "--overwrite_output_dir=true"], "from the beginning: no checkpoint was saved yet");
    }

    /// <summary>The newest complete checkpoint, told apart from another run's of the same name.</summary>
    private string? Saved()
    {
        try
        {
            return checkpoints.Newest is { } newest ? $"{newest} {Directory.GetLastWriteTimeUtc(newest).Ticks}" : null;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
